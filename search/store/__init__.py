"""Records of every trial. `search.store.base.Store` is the contract, `search.store.sql` the implementation.

To add a table: a model in `models.py` or `latency_models.py`, and a migration in `migrations/versions/`.
"""
