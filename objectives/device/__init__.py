"""Device on which latency is measured: the target, its lock, and other work that runs there."""
