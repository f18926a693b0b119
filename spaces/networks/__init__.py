"""Networks with weights: the parent, candidates, grafts, checkpoints, their cost."""
