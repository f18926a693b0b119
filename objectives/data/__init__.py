"""Data sets: reading, checking, caching the checks, loading."""
