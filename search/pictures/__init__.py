"""The results of a study as PNG."""
