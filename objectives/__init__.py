"""What can be measured: Candidate -> Measurement, and the training that some measurements need."""
