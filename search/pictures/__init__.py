"""What a study found, as PNG."""
