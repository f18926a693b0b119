"""Optuna's tables under our database URL."""
