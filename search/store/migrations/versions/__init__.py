"""One file a revision, `vNNNN_what.py`; `search.store.migrate` runs them in order."""
