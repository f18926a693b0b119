"""Who proposes the next trial: the project's own sampler and those of Optuna.

To add a sampler: its name in `SAMPLERS` of `registry.py` and a line in `make_sampler`.
"""
