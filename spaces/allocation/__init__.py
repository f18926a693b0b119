"""Allocation: the width of every layer when a network is cut as a whole.

To add an allocation: a subclass of `allocation.Allocation` in a file of its own, its name in `Cut` of
`search/study/cuts.py`, and a branch in `search/prepare/cutting.py`.
"""
