"""Where latency is measured: the target, its lock, and what else runs there."""
