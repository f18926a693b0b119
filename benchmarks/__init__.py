"""Benchmarks: one command each; what they print and write is quoted under docs/results."""
