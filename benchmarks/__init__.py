"""Benchmarks: one command each; the pages under docs/results show their figures."""
