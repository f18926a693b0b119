"""Searching and reporting: ask, evaluate, record, tell; the database; the commands; the reports."""
