"""Results of a study as PNG pictures."""
