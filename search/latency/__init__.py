"""Latencies of a study's networks: measured here, or stored from another machine; kept, and predicted for the others.

To add a source of latencies: a subclass of `source.LatencySource`, chosen in `study_targets.py`, and a test that
subclasses `LatencySourceContract`.
"""
