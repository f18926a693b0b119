"""Search spaces: the parameters of a sampler -> ArchSpec -> Candidate.

To add a space: a subclass of `spaces.base.Space` in a file of its own, a section in `search/study/space.py`, and a line
in `search/prepare/layout.py`.
"""
