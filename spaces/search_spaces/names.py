"""Names of the parameters of spaces. Without torch, so that a command which only reads records may know them."""

from __future__ import annotations

RATIO = "ratio."
"""Beginning of a parameter that is the share of channels which stay in a group, a tie or a stage."""

REPEATS = "repeats."
"""Beginning of a parameter that is the number of residual bottlenecks which stay in a stage."""

DONOR = "donor."
"""Beginning of a parameter that names the donor of a stage."""
