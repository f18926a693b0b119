"""The measuring protocol on a machine without this project: a plan is packed, results are read back."""
