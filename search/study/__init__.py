"""Definition of a study: the YAML under `studies/`, checked and frozen. Reading it touches no device.

To add a space that studies can name: a subclass of `SpaceSection` in a file of its own in `spaces/`, its line in
`spaces/registry.py`, and a test that subclasses `SpaceSectionContract`.
"""
