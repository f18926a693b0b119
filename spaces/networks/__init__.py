"""Networks with weights: the parent, candidates, grafts, checkpoints, and their cost."""
