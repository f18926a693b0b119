"""Names of the parameters of spaces. Imports no torch, so that a command which only reads records can use them."""

from __future__ import annotations

RATIO = "ratio."
"""Prefix of a parameter that is the share of channels which stay in a group, a tie or a stage."""

REPEATS = "repeats."
"""Prefix of a parameter that is the number of residual bottlenecks which stay in a stage."""

DONOR = "donor."
"""Prefix of a parameter that names the donor of a stage."""
