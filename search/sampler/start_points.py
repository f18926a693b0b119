"""Start points of a search: the cuts that an experienced engineer would try first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from spaces.base import Categorical, Float, Parameter, ParamValue
from spaces.structure.groups import ChannelGroup

UNIFORM_LEVELS = (1.0, 0.5, 0.0)
"""Positions in the range from low (0) to high (1) that all ratios take together, in a space of ratios alone."""

START_SHARES = (0.75, 0.5, 0.3)
"""Shares of the parent's FLOPs that the start points of sensitivity cuts keep."""

HEAD = ("head", "donor.neck", "donor.detect")


def start_points(parameters: Mapping[str, Parameter]) -> tuple[dict[str, ParamValue], ...]:
    """Return the points that the first trials of a study take.

    In a space of grafts: the hand-made `nas_final` (backbone of the round before the last, head of the last), then the
    first backbone with the last head, then the last backbone with the first head, all uncut. In a space of ratios or
    of one share: all ratios at their greatest value, in the middle, at their smallest value.
    """
    parts = {name: each for name, each in parameters.items() if isinstance(each, Categorical)}
    ratios = {name: each for name, each in parameters.items() if isinstance(each, Float)}
    if any(name in parts for name in HEAD):
        return tuple({**point, **_at(ratios, 1.0)} for point in _mixed(parts))
    return tuple(_at(ratios, level) for level in UNIFORM_LEVELS) if ratios else ()


def nearest_ratios(
    parameters: Mapping[str, Parameter], groups: Sequence[ChannelGroup], shares: Iterable[float]
) -> dict[str, ParamValue]:
    """Return the point of a space of channel ratios that is nearest to the given share of each group's channels."""
    point: dict[str, ParamValue] = {}
    for group, share in zip(groups, shares, strict=True):
        name = f"ratio.{group.tie or group.name}"
        parameter = parameters[name]
        if not isinstance(parameter, Float):
            raise TypeError(f"parameter '{name}' has no range; a share of channels cannot be placed in it")
        level = (share - parameter.low) / (parameter.high - parameter.low)
        point[name] = _on_grid(parameter, min(1.0, max(0.0, level)))
    return point


def _mixed(parts: Mapping[str, Categorical]) -> list[dict[str, ParamValue]]:
    names = next(iter(parts.values())).options
    pairs = ((names[-2:][0], names[-1]), (names[0], names[-1]), (names[-1], names[0]))
    return [
        {part: head if part in HEAD else backbone for part in parts}
        for backbone, head in dict.fromkeys(pairs)
        if all(head in each.options for each in parts.values())
    ]


def _at(ratios: Mapping[str, Float], level: float) -> dict[str, ParamValue]:
    """Return all ratios at one level of their range, on their grid."""
    return {name: _on_grid(ratio, level) for name, ratio in ratios.items()}


def _on_grid(parameter: Float, level: float) -> float:
    value = parameter.low + level * (parameter.high - parameter.low)
    if parameter.step:
        value = parameter.low + round((value - parameter.low) / parameter.step) * parameter.step
    return min(parameter.high, value)  # 0.1 + 2 * 0.1 is more than 0.3
