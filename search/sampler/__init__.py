"""Who proposes the next trial: the project's own sampler and those of Optuna."""
