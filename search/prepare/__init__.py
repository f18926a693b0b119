"""Before the first trial: data, parent, donors, controls (trained or copied), the space and its start points."""
