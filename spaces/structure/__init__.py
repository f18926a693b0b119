"""The channel groups and bottlenecks of a detector, derived by tracing, and the slicing of its tensors."""
