"""From a study's `space:` section to the space that is searched, and the points that the search begins with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from search.prepare.cutting import ChannelRule, build_cutter, flops_function, score_channels
from search.study.definition import StudyDefinition
from search.study.space import BaselineSection, ChannelsSection, GraftSection
from search.trial.events import Say
from search.trial.workbench import Workbench
from spaces.allocation.allocation import Cutter
from spaces.base import ParamValue, Space
from spaces.networks.graft import Donor
from spaces.ranking.importance import best_first, repeat_scores
from spaces.search_spaces.baselines import BaselineSpace
from spaces.search_spaces.channels import ChannelRatioSpace
from spaces.search_spaces.grafts import GraftSpace
from spaces.search_spaces.repeats import RepeatsSpace

START_SHARES = (0.75, 0.5, 0.3)
"""Shares of the parent's FLOPs that the start points of sensitivity cuts keep."""


@dataclass(frozen=True)
class Layout:
    """A space and the parameters of the first trials in it."""

    space: Space
    starts: tuple[Mapping[str, ParamValue], ...]


def wants_map(definition: StudyDefinition) -> bool:
    """Whether the search itself needs a sensitivity map of the trained parent."""
    space = definition.space
    return "sensitivity" in (getattr(space, "cut", None), *getattr(space, "starts", ()))


def layout_of(
    section: GraftSection | ChannelsSection | BaselineSection,
    bench: Workbench,
    donors: Mapping[str, Donor],
    say: Say,
) -> Layout:
    """The space that a study names, around the trained parent.

    Raises:
        SpaceError: If the parent has nothing of what is to be searched.
    """
    if isinstance(section, BaselineSection):
        rule = ChannelRule(section.cut, section.criterion, section.multiple)
        cutter = build_cutter(bench, rule, bench.parent.as_candidate(), say)
        swept = BaselineSpace(cutter, flops_function(bench.parent), section.low, section.high, section.step)
        return Layout(swept, swept.start_points())
    if isinstance(section, GraftSection):
        rule = ChannelRule("uniform", section.criterion, section.multiple)
        of_donors = {name: best_first(score_channels(bench, rule, donor.candidate)) for name, donor in donors.items()}
        kinds: dict[str, Any] = {"parts": section.parts, "ratios": section.ratios, "orders": of_donors}
        return _with_repeats(section, bench, GraftSpace(bench.parent, donors, **_grid(section), **kinds), [])
    rule = ChannelRule("uniform", section.criterion, section.multiple)
    orders = best_first(score_channels(bench, rule, bench.parent.as_candidate()))
    space = ChannelRatioSpace(bench.parent, orders, **_grid(section))
    starts = [point for kind in section.starts for point in _channel_starts(kind, section, space, bench, say)]
    return _with_repeats(section, bench, space, starts)


def _grid(section: GraftSection | ChannelsSection) -> dict[str, Any]:
    return {"low": section.low, "high": section.high, "step": section.step, "multiple": section.multiple}


def _with_repeats(
    section: GraftSection | ChannelsSection,
    bench: Workbench,
    space: Space,
    starts: list[Mapping[str, ParamValue]],
) -> Layout:
    """The space, with numbers of bottlenecks where they are searched; all start points keep all of them."""
    if not section.repeats:
        return Layout(space, tuple(starts) or space.start_points())
    importance = repeat_scores(bench.parent.as_candidate(), bench.parent)
    order = sorted(importance, key=lambda name: -importance[name])
    deep = RepeatsSpace(space, bench.parent.structure, order)
    return Layout(deep, tuple(map(deep.with_all, starts)) or deep.start_points())


def _channel_starts(
    kind: str, section: ChannelsSection, space: ChannelRatioSpace, bench: Workbench, say: Say
) -> list[Mapping[str, ParamValue]]:
    if kind == "uniform":
        return list(space.start_points())
    rule = ChannelRule(kind, section.criterion, section.multiple)
    cutter: Cutter = build_cutter(bench, rule, bench.parent.as_candidate(), say)
    cost = flops_function(bench.parent)
    return [space.nearest(cutter.at_share(share, cost).shares) for share in START_SHARES]
