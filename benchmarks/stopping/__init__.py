"""Stopping rules compared on the table of variants: stored learning curves are replayed by simulated workers."""
