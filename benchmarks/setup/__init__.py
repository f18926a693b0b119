"""Shared by all benchmarks: options, results that a killed benchmark continues, Markdown, one thread per process."""
