"""Samplers, which propose the next trial: the project's own and those of Optuna.

To add a sampler: a subclass of `factory.SamplerFactory`, a line in `registry.py`, its name in
`search/study/choices.py` and in docs/studies.md, and a test that subclasses `SamplerContract`.
"""
