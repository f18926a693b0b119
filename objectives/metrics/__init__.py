"""Objectives: cost, memory, latency and accuracy of a network; one file each, with one interface.

To add an objective: a row in `objectives/quantities.py`, a subclass of `BeforeTraining` or `AfterTraining` in a file of
its own, an entry in `registry.py`, its name in docs/studies.md, and a test that subclasses `ObjectiveContract`.
"""
