"""Start points of a search: what an experienced engineer would try first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from spaces.base import Categorical, Float, Parameter, ParamValue
from spaces.structure.groups import ChannelGroup

UNIFORM_LEVELS = (1.0, 0.5, 0.0)
"""Where on the range from low to high all ratios are put together, in a space of ratios alone."""

START_SHARES = (0.75, 0.5, 0.3)
"""Shares of the parent's FLOPs at which other ways of cutting give start points."""

HEAD = ("head", "donor.neck", "donor.detect")


def start_points(parameters: Mapping[str, Parameter]) -> tuple[dict[str, ParamValue], ...]:
    """The first trials of a study.

    In a space of grafts: the hand-made `nas_final` (backbone of the round before the last, head of the last),
    then the two mixed ends (first backbone with last head, last backbone with first head), all uncut. In a
    space of ratios or of one share: all at their greatest, in the middle, at their smallest.
    """
    parts = {name: each for name, each in parameters.items() if isinstance(each, Categorical)}
    ratios = {name: each for name, each in parameters.items() if isinstance(each, Float)}
    if any(name in parts for name in HEAD):
        return tuple({**point, **_at(ratios, 1.0)} for point in _mixed(parts))
    return tuple(_at(ratios, level) for level in UNIFORM_LEVELS) if ratios else ()


def nearest_ratios(
    parameters: Mapping[str, Parameter], groups: Sequence[ChannelGroup], shares: Iterable[float]
) -> dict[str, ParamValue]:
    """The point of a space of channel ratios that comes nearest to a share of each group's channels."""
    point: dict[str, ParamValue] = {}
    for group, share in zip(groups, shares, strict=True):
        name = f"ratio.{group.tie or group.name}"
        parameter = parameters[name]
        assert isinstance(parameter, Float)
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
    """All ratios at one level of their range, on their grid."""
    return {name: _on_grid(ratio, level) for name, ratio in ratios.items()}


def _on_grid(parameter: Float, level: float) -> float:
    value = parameter.low + level * (parameter.high - parameter.low)
    if parameter.step:
        value = parameter.low + round((value - parameter.low) / parameter.step) * parameter.step
    return min(parameter.high, value)  # 0.1 + 2 * 0.1 is more than 0.3
