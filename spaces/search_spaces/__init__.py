"""What a sampler may choose from: parameters -> ArchSpec -> Candidate.

To add a space: a subclass of `spaces.base.Space` in a file of its own, a section in `search/study/space.py`, and a line
in `search/prepare/layout.py`.
"""
