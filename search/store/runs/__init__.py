"""Runs of a study, on any machine: their jobs, nodes and GPUs, what they do, and the GPU-hours that they used."""
