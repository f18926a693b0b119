"""Start points of a search: what an experienced engineer would try first."""

from __future__ import annotations

from collections.abc import Mapping

from spaces.base import Categorical, Float, Integer, Parameter, ParamValue

UNIFORM_LEVELS = (1.0, 0.5, 0.0)
"""Where on the range from low to high all ratios are put together, in a space of ratios alone."""


def start_points(parameters: Mapping[str, Parameter]) -> tuple[dict[str, ParamValue], ...]:
    """The first trials of a study.

    In a space of grafts: the hand-made `nas_final` (backbone of the round before the last, head of the last),
    then the two mixed ends (first backbone with last head, last backbone with first head), all uncut. In a
    space of ratios: all ratios at their greatest, in the middle, at their smallest.
    """
    backbone, head = parameters.get("backbone"), parameters.get("head")
    ratios = {name: each for name, each in parameters.items() if name.startswith("ratio.") and isinstance(each, Float)}
    if isinstance(backbone, Categorical) and isinstance(head, Categorical):
        whole = _at(ratios, 1.0)
        names = backbone.options
        pairs = ((names[-2:][0], names[-1]), (names[0], names[-1]), (names[-1], names[0]))
        distinct = dict.fromkeys(pair for pair in pairs if pair[1] in head.options)
        return tuple({"backbone": one, "head": other, **whole} for one, other in distinct)
    return tuple(_at(ratios, level) for level in UNIFORM_LEVELS) if ratios else ()


def _at(ratios: Mapping[str, Float | Integer], level: float) -> dict[str, ParamValue]:
    """All ratios at one level of their range, on their grid."""
    point: dict[str, ParamValue] = {}
    for name, ratio in ratios.items():
        value = ratio.low + level * (ratio.high - ratio.low)
        if ratio.step:
            value = ratio.low + round((value - ratio.low) / ratio.step) * ratio.step
        point[name] = value
    return point
