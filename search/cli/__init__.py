"""Shared by the commands: options, exit codes, error lines, the checks of `search.doctor`.

To add a check of `search.doctor`: a function in `checkup.py`.
"""
