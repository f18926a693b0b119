"""Latencies of a study's networks: measured here or on another machine, stored, and predicted for all others.

To add a source of latencies: a subclass of `source.LatencySource`, a branch in `study_targets.py`, the field of
`TargetSection` that chooses it, and a test that subclasses `LatencySourceContract`.
"""
