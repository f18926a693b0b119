"""Objectives: cost, memory, latency and accuracy of a network; one file each, with one interface.

To add an objective: a row in `objectives/quantities.py`, a subclass of `BeforeTraining` or `AfterTraining` in a file of
its own, a line in `registry.py`, and a test that subclasses `ObjectiveContract`.
"""
