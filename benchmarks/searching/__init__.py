"""Tables of trained detectors as search problems, and the ways to search them.

To add a way to search: a function from problem, seed and number of trainings to rows, and a line in `WAYS` of
`ways.py`.
"""
