"""Jobs on a cluster that run a study: their scripts, how they are submitted, and the defaults of a site.

To add a batch system: a subclass of `system.BatchSystem`, one file, and an entry in `registry.py`, where
`DEFAULT_SYSTEM` chooses it.
"""
