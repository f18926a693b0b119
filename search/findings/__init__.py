"""Results of a study as plain tables: leaderboard, training effort, comparison, selection.

To add a column of the leaderboard: a line in `columns.py`; a quantity on request has its column already.
"""
