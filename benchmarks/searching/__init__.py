"""Tables of trained detectors as search problems, and the ways to search them."""
