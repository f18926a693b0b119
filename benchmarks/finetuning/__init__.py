"""Benchmarks that cut one trained parent and fine-tune every row alike: criteria, and the seam of a graft."""
