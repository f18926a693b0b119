"""The page of `benchmarks.by_hand`."""
