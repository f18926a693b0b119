"""Engines that run a network on a device, one file each, behind `objectives.runtimes.base.Runtime`.

To add a runtime: a subclass of `Runtime` in a file of its own, a line in `catalogue.py`, and a test that subclasses
`RuntimeContract`.
"""
