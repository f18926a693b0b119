"""Measuring and training: Candidate -> Measurement, and the training that some measurements need."""
