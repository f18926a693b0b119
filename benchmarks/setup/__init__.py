"""What the benchmarks share: trained parents, results that resume, one thread a process."""
