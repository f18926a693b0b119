"""What was found: ask, evaluate, record, tell; the database; the command lines; the reports."""
