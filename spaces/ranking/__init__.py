"""Importance of channels, and widths on a grid.

To add a criterion: its name in `Criterion` and its formula in `channel_terms`, both in `criteria.py`.
"""
