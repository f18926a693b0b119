"""Processes of a run: the supervisor, its workers, their heartbeats, and the display of their progress."""
