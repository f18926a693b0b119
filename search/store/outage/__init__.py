"""A database that is away: patience with it, locks that outlast a restart, transactions that are made once."""
