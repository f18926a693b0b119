"""Warnings about a study's data set and weights, stored with the study and shown below its table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DOUBTS = "data_doubts"
"""Name of the fact of a study that holds the lines about its data."""
WEIGHTS_DOUBTS = "weights_doubts"
"""Name of the fact that holds the lines about the weights that it begins with."""


def doubt_line(warning: str) -> str:
    """Return a warning about the data set as a line among other lines."""
    return f"warning: data: {warning}"


def doubt_lines(frozen: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the lines of a stored study about its data and weights; none for one that is older than they are.

    Args:
        frozen: Facts of the study that were frozen when it began.
    """
    weights = (f"warning: {line}" for line in frozen.get(WEIGHTS_DOUBTS) or ())
    return (*map(doubt_line, frozen.get(DOUBTS) or ()), *weights)
