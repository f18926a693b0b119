"""Widths on a grid that is efficient on hardware, and the channels that fill them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

from spaces.structure.groups import ChannelGroup, tied


@lru_cache(maxsize=8192)  # a sampler asks for the same few shares thousands of times
def aligned(width: int, ratio: float, multiple: int) -> int:
    """Return a share of a width, rounded to the multiple: at least one multiple (or all, if fewer), at most all.

    Halves round up. A ratio of 1 keeps the width, aligned or not.
    """
    return min(width, max(multiple, math.floor(width * ratio / multiple + 0.5) * multiple)) if ratio < 1 else width


def select(
    groups: Sequence[ChannelGroup], orders: Mapping[str, Sequence[int]], widths: Mapping[str, int]
) -> tuple[tuple[int, ...], ...]:
    """Return the first channels of each group's order, ascending; tied groups take the smallest of their widths.

    Args:
        widths: Number of channels to keep, by group.
    """
    kept: list[tuple[int, ...]] = [()] * len(groups)
    for indices in tied(groups).values():
        width = min(widths[groups[index].name] for index in indices)
        for index in indices:
            kept[index] = tuple(sorted(orders[groups[index].name][:width]))
    return tuple(kept)
