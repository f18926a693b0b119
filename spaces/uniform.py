"""Widths on a grid, and the two plain ways of cutting: every group alike, and one more round from a donor."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from spaces.base import ArchSpec, Candidate, SpaceError
from spaces.groups import ChannelGroup, tied
from spaces.importance import best_first, order, scores
from spaces.parent import Parent

Scope = Literal["uniform", "global"]


def aligned(width: int, ratio: float, multiple: int) -> int:
    """A share of a width, rounded to the multiple: at least one multiple (or all, if there are fewer), at most all.

    Halves round up. A ratio of 1 keeps the width, aligned or not.
    """
    return min(width, max(multiple, math.floor(width * ratio / multiple + 0.5) * multiple)) if ratio < 1 else width


def select(
    groups: Sequence[ChannelGroup], orders: Mapping[str, Sequence[int]], widths: Mapping[str, int]
) -> tuple[tuple[int, ...], ...]:
    """The first channels of each group's order, ascending; tied groups all take the least of their widths.

    Args:
        widths: By group.
    """
    kept: list[tuple[int, ...]] = [()] * len(groups)
    for indices in tied(groups).values():
        width = min(widths[groups[index].name] for index in indices)
        for index in indices:
            kept[index] = tuple(sorted(orders[groups[index].name][:width]))
    return tuple(kept)


def uniform(parent: Parent, ratio: float, multiple: int = 8) -> ArchSpec:
    """The spec that keeps the same share of every group: its most important channels.

    Raises:
        SpaceError: If the ratio is not in (0, 1] or the multiple below 1.
    """
    _check(ratio, multiple)
    orders = order(parent.candidate(), parent)
    widths = {group.name: aligned(group.width, ratio, multiple) for group in parent.groups}
    return parent.structure.spec(select(parent.groups, orders, widths))


def thin(candidate: Candidate, parent: Parent, ratio: float, multiple: int = 8, scope: Scope = "uniform") -> ArchSpec:
    """One round of cutting: keep this share of the channels that a candidate still has.

    Args:
        scope: `uniform` keeps the same share of every group; `global` keeps the share of all channels that
            matter most, measured against the mean of their own group.

    Raises:
        SpaceError: If the ratio is not in (0, 1], the multiple below 1, or the candidate of another parent.
    """
    _check(ratio, multiple)
    importance = scores(candidate, parent)
    if scope == "uniform":
        widths = {name: aligned(len(of), ratio, multiple) for name, of in importance.items()}
    elif scope == "global":
        widths = _global_widths(importance, ratio, multiple)
    else:
        raise SpaceError(f"no scope '{scope}'; there are uniform and global")
    return parent.structure.spec(select(parent.groups, best_first(importance), widths))


def _global_widths(importance: Mapping[str, Mapping[int, float]], ratio: float, multiple: int) -> dict[str, int]:
    """How many channels of each group are among the most important ones of the whole network."""
    relative = {
        name: [value * len(of) / (sum(of.values()) or 1.0) for value in of.values()] for name, of in importance.items()
    }
    everything = sorted((value for values in relative.values() for value in values), reverse=True)
    threshold = everything[max(1, round(len(everything) * ratio)) - 1]
    return {
        name: aligned(len(values), sum(value >= threshold for value in values) / len(values), multiple)
        for name, values in relative.items()
    }


def _check(ratio: float, multiple: int) -> None:
    if not 0 < ratio <= 1:
        raise SpaceError(f"ratio {ratio} is not in (0, 1]: it is the share of channels that stay")
    if multiple < 1:
        raise SpaceError(f"multiple {multiple} is below 1")
