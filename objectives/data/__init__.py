"""Data sets: how they are found, checked, remembered and loaded."""
