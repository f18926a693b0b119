"""Batch scripts: how a cluster is asked to run a study.

To add a batch system: a subclass of `system.BatchSystem`, one file, and a line in `registry.py`.
"""
