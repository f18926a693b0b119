"""Tasks: the labels, Ultralytics' trainer and validator, and the own accuracy of what networks are for; one file each.

To add a task: a subclass of `Task` in a file of its own, an entry in `registry.py`, its heads in
`spaces/structure/heads.py`, its quantities in `objectives/quantities.py`, and a data set of digits for its tests.
"""
