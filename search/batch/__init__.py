"""Batch scripts that ask a cluster to run a study.

To add a batch system: a subclass of `system.BatchSystem`, one file, and a line in `registry.py`.
"""
