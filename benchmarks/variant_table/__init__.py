"""The table of trained variants of one parent: how they are drawn, trained, measured and stored."""
