"""Which channels matter, and widths on a grid."""
