"""The measuring protocol: timing in a process of its own, races, and the latency predictor."""
