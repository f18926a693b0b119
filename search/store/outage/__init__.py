"""A database that is away or cannot be written: patience, locks that outlast a restart, commits made once, copies."""
