"""After the last trial: finalists are measured again, trained for longer, exported."""
