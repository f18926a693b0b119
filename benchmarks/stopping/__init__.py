"""Stopping rules compared on the table of variants: stored learning curves are replayed by simulated workers.

To add a rule: a line in `COMPARED_RULES` of `rules.py`.
"""
