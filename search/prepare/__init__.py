"""Before the first trial: data, parent, donors, controls, the space and its start points."""
