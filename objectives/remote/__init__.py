"""The measuring protocol on a machine that has no project: a plan goes out, results come home."""
