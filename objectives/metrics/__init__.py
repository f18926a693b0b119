"""What a study can measure of a network: cost, memory, latency, accuracy; one objective a file, with one interface.

To add an objective: a row in `objectives/quantities.py`, a subclass of `BeforeTraining` or `AfterTraining` in a file of
its own, a line in `registry.py`, and a test that subclasses `ObjectiveContract`.
"""
