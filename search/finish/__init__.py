"""After the last trial: finalists are timed again, trained on, exported."""
