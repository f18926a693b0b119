"""Latencies of a study's networks: measured here or brought from another machine, kept, and predicted."""
