"""Processes: the supervisor, its workers, their heartbeats, and what they show."""
