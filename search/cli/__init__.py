"""What the command lines share.

To add a check of `search.doctor`: a function in `checkup.py`.
"""
