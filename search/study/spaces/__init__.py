"""The spaces that a study can name, one file each: the `space:` section, and the layout around the trained parent.

To add a space: a subclass of `base.SpaceSection` in a file of its own, and its line in `SPACES` of `registry.py`.
"""
