"""The `space:` sections of the project."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest

from search.study.faults import DefinitionError
from search.study.spaces.baseline import BaselineSection
from search.study.spaces.channels import START_SHARES, ChannelsSection
from search.study.spaces.graft import GraftSection
from search.study.spaces.ranked_cuts import RANKED_CUTS
from search.study.spaces.registry import name_of_space
from spaces.base import Integer
from spaces.networks.graft import Donor
from spaces.networks.parent import Parent
from spaces.search_spaces.channels import ChannelRatioSpace
from spaces.search_spaces.repeats import RepeatsSpace
from tests.search.study.spaces.plain_tools import PlainTools
from tests.search.study.spaces.section_contract import SpaceSectionContract

BARE = cast(Parent, SimpleNamespace(repeats=()))
"""A parent without residual bottlenecks."""


class TestGraftSection(SpaceSectionContract):
    section_type = GraftSection

    def test_donors_of_stages_are_named_with_their_stages(self) -> None:
        assert GraftSection.describe({"backbone": "one", "head": "two", "ratio.P1": 1.0}) == "one + two"
        stages = {"donor.P1": "one", "donor.neck": "two", "donor.P2": "one"}
        assert GraftSection.describe(stages) == "one P1 P2, two neck"

    def test_bottlenecks_are_a_dimension_if_they_are_searched(
        self, parent: Parent, donors: Mapping[str, Donor]
    ) -> None:
        layout = GraftSection(type="graft", repeats=True).layout(PlainTools(parent), donors)
        numbers = {name: each for name, each in layout.space.parameters.items() if isinstance(each, Integer)}
        assert list(numbers) == ["repeats.P2", "repeats.P3", "repeats.P4", "repeats.P5"]
        assert all(point[name] == each.high for point in layout.starts for name, each in numbers.items())

    def test_with_the_parent_as_a_donor_it_contains_every_network_of_one_ratio_a_group(
        self, parent: Parent, donors: Mapping[str, Donor]
    ) -> None:
        grid = {"low": 0.125, "high": 1.0, "step": 0.125, "multiple": 4}
        section = GraftSection.model_validate({"type": "graft", "ratios": "group", "from_parent": True, **grid})
        grafts = section.layout(PlainTools(parent), donors)
        channels = ChannelsSection.model_validate({"type": "channels", **grid}).layout(PlainTools(parent), {})
        assert len(grafts.hints) == len(channels.hints) == RANKED_CUTS
        for graft, cut in zip(grafts.hints, channels.hints, strict=True):
            assert graft["backbone"] == graft["head"] == "parent"
            assert grafts.space.decode(graft) == channels.space.decode(cut)

    def test_without_the_parent_as_a_donor_there_are_no_hints(
        self, parent: Parent, donors: Mapping[str, Donor]
    ) -> None:
        assert GraftSection(type="graft", ratios="group").layout(PlainTools(parent), donors).hints == ()
        assert GraftSection(type="graft", from_parent=True).layout(PlainTools(parent), donors).hints == ()


class TestChannelsSection(SpaceSectionContract):
    section_type = ChannelsSection

    def test_named_start_points_come_in_their_order(self, parent: Parent) -> None:
        tools = PlainTools(parent)
        section = ChannelsSection(type="channels", multiple=4, starts=("sensitivity", "uniform"), repeats=True)
        layout = section.layout(tools, {})
        assert isinstance(layout.space, RepeatsSpace)
        assert tools.cuts == ["sensitivity", "global"]  # the latter for the hints
        assert len(layout.starts) == len(START_SHARES) + 3
        assert [layout.space.decode(point)[0].is_whole for point in layout.starts[3:]] == [True, False, False]
        assert all(layout.space.decode(point)[0].dropped == () for point in layout.starts)
        assert section.needs_sensitivity_map and section.fixes_start_points and section.drops_bottlenecks

    def test_without_named_start_points_they_are_cuts_by_one_ranking(self, parent: Parent) -> None:
        tools, section = PlainTools(parent), ChannelsSection(type="channels", multiple=4, low=0.125)
        layout = section.layout(tools, {})
        assert isinstance(layout.space, ChannelRatioSpace)
        assert set(tools.cuts) == {"global"}
        kept = [sum(map(len, layout.space.decode(point)[0].kept)) for point in layout.starts]
        whole = sum(parent.full_spec().widths)
        assert [channels / whole for channels in kept] == pytest.approx(START_SHARES, abs=0.0625)  # half a step
        assert not (section.needs_sensitivity_map or section.fixes_start_points or section.drops_bottlenecks)

    def test_scores_that_do_not_compare_across_groups_give_uniform_start_points_and_no_hints(
        self, parent: Parent
    ) -> None:
        tools, section = PlainTools(parent), ChannelsSection(type="channels", multiple=4, criterion="l2")
        layout = section.layout(tools, {})
        assert layout.starts == layout.space.start_points()
        assert layout.hints == ()
        assert tools.cuts == []
        assert not (section.needs_sensitivity_map or section.fixes_start_points or section.drops_bottlenecks)


class TestBaselineSection(SpaceSectionContract):
    section_type = BaselineSection

    @pytest.mark.parametrize("cut", ["uniform", "sensitivity"])
    def test_it_sweeps_the_cut_that_is_asked_for(self, parent: Parent, cut: Any) -> None:
        tools, section = PlainTools(parent), BaselineSection(type="baseline", cut=cut)
        assert list(section.layout(tools, {}).space.parameters) == ["flops"]
        assert tools.cuts == [cut]
        assert section.needs_sensitivity_map is (cut == "sensitivity")


@pytest.mark.parametrize("section", [GraftSection, ChannelsSection])
def test_bottlenecks_that_the_parent_lacks_are_refused_before_anything_is_trained(section: Any) -> None:
    name = name_of_space(section)
    section(type=name).check_parent(BARE)
    with pytest.raises(DefinitionError, match=r"space.repeats is true, but the parent has no residual bottleneck"):
        section(type=name, repeats=True).check_parent(BARE)
