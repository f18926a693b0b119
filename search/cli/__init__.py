"""Parts that the commands share: options, exit codes, checks of the machine.

To add a check of `search.doctor`: a function in `checkup.py`.
"""
