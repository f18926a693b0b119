"""The number of residual bottlenecks as one more dimension, for sections that have a field `repeats`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from search.study.faults import DefinitionError
from search.study.spaces.base import Layout
from spaces.base import ParamValue, Space

if TYPE_CHECKING:
    from spaces.networks.parent import Parent


def check_repeats(repeats: bool, parent: Parent) -> None:
    """Check that bottlenecks can be dropped from the parent, if that is searched.

    Raises:
        DefinitionError: If it has none.
    """
    if repeats and not parent.repeats:
        raise DefinitionError("space.repeats is true, but the parent has no residual bottleneck that could be dropped")


def with_repeats(
    repeats: bool,
    space: Space,
    parent: Parent,
    starts: Sequence[Mapping[str, ParamValue]] = (),
    hints: Sequence[Mapping[str, ParamValue]] = (),
) -> Layout:
    """Lay out a space, with numbers of bottlenecks if `repeats` is set; the start points keep all bottlenecks.

    Args:
        starts: Start points that the study names; by default those of the space.
        hints: See `Layout`; they do not set the number of bottlenecks.
    """
    if not repeats:
        return Layout(space, tuple(starts) or space.start_points(), tuple(hints))
    from spaces.ranking.importance import repeat_scores
    from spaces.search_spaces.repeats import RepeatsSpace

    importance = repeat_scores(parent.as_candidate(), parent)
    order = sorted(importance, key=lambda name: -importance[name])
    deep = RepeatsSpace(space, parent.structure, order)
    return Layout(deep, tuple(map(deep.with_all, starts)) or deep.start_points(), tuple(hints))
