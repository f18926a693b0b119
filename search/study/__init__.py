"""What to ask: the YAML under `studies/`, checked and frozen. Inert: reading one touches no device.

To add a space to what studies can name: a subclass of `spaces.base.SpaceSection` in a file of its own, and its line in
`SPACES` of `spaces/registry.py`.
"""
