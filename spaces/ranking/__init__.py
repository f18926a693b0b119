"""Importance of channels, and widths on a grid.

To add a criterion: its name in `Criterion` and its formula in `channel_terms`, both in `criteria.py`; and its name in
`Criterion`, and in `OrderCriterion` if a search may use it, of `search/study/cuts.py`.
"""
