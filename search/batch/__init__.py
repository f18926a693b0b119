"""Batch scripts that ask a cluster to run a study.

To add a batch system: a subclass of `system.BatchSystem`, one file, and an entry in `registry.py`, where
`DEFAULT_SYSTEM` chooses it.
"""
