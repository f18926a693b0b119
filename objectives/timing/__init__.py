"""Measuring protocol: timing in a separate process, races of finalists, and the latency predictor."""
