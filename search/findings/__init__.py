"""What a study found, as plain tables: leaderboard, effort, comparison, selection.

To add a column of the leaderboard: a line in `columns.py`; a quantity on request has its column already.
"""
