"""Records of trials, the Pareto front of them, and how their figures are written. Plain values."""
