"""Searching: proposals, trials, records in a database, reports, and the commands."""
