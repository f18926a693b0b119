"""Records of every trial. `search.store.base.Store` is the contract, `search.store.sql` the implementation.

To add a table: a model in `models.py` or `latency_models.py`, a migration in `migrations/versions/`, and methods in
`base.py` and `sql.py`.
"""
