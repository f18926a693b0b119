"""Search spaces: the parameters of a sampler -> ArchSpec -> Candidate.

To add a space: a subclass of `spaces.base.Space` in a file of its own. Studies name it by its section, see
`search/study/spaces`.
"""
