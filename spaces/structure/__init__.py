"""Structure of a detector, derived by tracing: its channel groups, and the slicing of its tensors."""
