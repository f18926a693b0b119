"""The benchmark of building candidates: ours and torch-pruning's, in turn on the same network."""
