"""Cuts and grafts of one trained parent, fine-tuned by the same recipe: criteria, and the seam of a graft.

To add a cut: a line in `CUT_METHODS` of `cut_methods.py`.
"""
