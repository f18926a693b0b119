"""Engines that run a network on a device, one file each, behind `objectives.runtimes.base.Runtime`."""
