"""Processes of a run: supervisor, workers, heartbeats, progress. Also the dry run and the printed configuration."""
