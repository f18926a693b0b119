"""Data sets: found, checked, remembered, loaded."""
