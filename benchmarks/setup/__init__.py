"""What all benchmarks share: options, results that a killed benchmark continues, Markdown, one thread per process."""
