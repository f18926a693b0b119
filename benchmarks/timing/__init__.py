"""Parts of `benchmarks.latency`."""
