"""One file a revision, `vNNNN_what.py`; `search.store.migrations.migrate` runs them in order."""
