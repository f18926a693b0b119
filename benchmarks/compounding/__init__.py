"""The best by hand compared with the search at equal training: arms with one parent and one budget, and the page."""
