"""What a study found, as plain tables: leaderboard, effort, comparison, selection."""
