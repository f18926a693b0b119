"""What can be cut of a detector, derived by tracing, and the slicing of its tensors."""
