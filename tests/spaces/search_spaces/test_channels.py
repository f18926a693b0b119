"""The space of one ratio per channel group."""

from __future__ import annotations

import pytest

from spaces.base import PARENT, Float, ParameterRole, SpaceError
from spaces.networks.parent import Parent
from spaces.ranking.importance import order
from spaces.search_spaces.channels import ChannelRatioSpace
from spaces.structure.groups import tied
from tests.spaces.search_spaces.space_contract import SpaceContract, choose


@pytest.fixture(scope="module")
def ratios(parent: Parent) -> ChannelRatioSpace:
    return ChannelRatioSpace(parent, order(parent.candidate(), parent), low=0.25, high=1.0, step=0.125, multiple=8)


class TestChannelRatioSpace(SpaceContract):
    @pytest.fixture
    def space(self, ratios: ChannelRatioSpace) -> ChannelRatioSpace:
        return ratios


def test_groups_of_a_tie_share_one_parameter(ratios: ChannelRatioSpace, parent: Parent) -> None:
    assert len(ratios.parameters) == len(tied(parent.groups)) == 51
    assert ratios.parameters["ratio.model.2.cv1"] == Float(0.25, 1.0, 0.125)
    assert "ratio.model.2.cv1:0" not in ratios.parameters


def test_a_ratio_cuts_its_own_group_and_no_other(ratios: ChannelRatioSpace, parent: Parent) -> None:
    params = {**choose(ratios, 1.0), "ratio.model.4.cv1": 0.5}
    spec, origin = ratios.decode(params)
    changed = {name for name, kept, width in zip(spec.groups, spec.kept, spec.widths, strict=True) if len(kept) < width}
    assert changed == {"model.4.cv1:0", "model.4.cv1:1"}
    assert len(spec.kept_in("model.4.cv1:0")) == 16
    assert set(origin.layers) == {PARENT}


def test_all_ratios_at_one_are_the_parent(ratios: ChannelRatioSpace, parent: Parent) -> None:
    assert ratios.decode(choose(ratios, 1.0))[0] == parent.full_spec()


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.5, 1.5), (0.8, 0.5)])
def test_a_range_outside_zero_to_one_is_refused(parent: Parent, low: float, high: float) -> None:
    with pytest.raises(SpaceError, match="not within"):
        ChannelRatioSpace(parent, {}, low, high)


def test_it_begins_with_uniform_cuts_on_their_grid(ratios: ChannelRatioSpace) -> None:
    points = ratios.start_points()
    assert [set(point.values()) for point in points] == [{1.0}, {0.625}, {0.25}]
    assert all(point.keys() == ratios.parameters.keys() for point in points)


def test_every_width_has_a_ratio_of_its_own(ratios: ChannelRatioSpace, parent: Parent) -> None:
    assert {each.role for each in ratios.parameters.values()} == {ParameterRole.WIDTH}
    shares = [0.5 if group.section == "neck" else 1.0 for group in parent.groups]
    point = ratios.nearest(shares)
    assert set(point.values()) == {0.5, 1.0}
    assert ratios.decode(point)[0].shares == shares
