"""Real studies that a benchmark runs by the project's command lines, each in a process of its own."""
