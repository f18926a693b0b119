"""Processes of a run: the supervisor, its workers, their heartbeats, and the progress that they show."""
