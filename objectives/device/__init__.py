"""The device where latency is measured: its description, its lock, and other work that runs on it."""
