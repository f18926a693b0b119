"""Pruning by hand compared with the search: runs on a data set, the networks of its studies, and the page."""
