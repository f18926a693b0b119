"""Searches compared on tables of trained detectors, on a surrogate of one table, and by the time of one suggestion.

To add a search method: a function from problem, seed and number of trainings to detectors, and a line in
`SEARCH_METHODS` of `methods.py`.
"""
