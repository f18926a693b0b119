"""Measuring on a machine that has no project: a plan goes out, results are brought back."""
