"""The records of every trial. `search.store.base.Store` is the contract, `search.store.sql` the implementation."""
