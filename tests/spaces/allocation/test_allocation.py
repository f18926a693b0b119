"""Baselines: allocations of a cut to the groups."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.allocation.allocation import Allocation, Cutter, cutter
from spaces.allocation.global_ranking import GlobalRanking
from spaces.allocation.sensitivity import SensitivityAllocation, SensitivityMap
from spaces.allocation.slimming import Slimming, SlimmingAt
from spaces.allocation.uniform import Uniform
from spaces.base import ArchSpec, Float, SpaceError
from spaces.networks.graft import Donor
from spaces.networks.parent import Parent
from spaces.search_spaces.baselines import BaselineSpace
from spaces.structure.groups import check_ties
from tests.spaces.search_spaces.space_contract import SpaceContract


def _map(parent: Parent) -> SensitivityMap:
    """Groups of the backbone can be cut with little loss, the others cannot."""
    names = {group.tie or group.name: group for group in parent.groups}
    values = {n: (1.2, 1.1, 1.05) if g.section == "backbone" else (9.0, 5.0, 2.0) for n, g in names.items()}
    return SensitivityMap("loss", 1.0, (0.25, 0.5, 0.75), values)


@pytest.fixture(scope="module", params=["uniform", "global", "slimming", "sensitivity"])
def allocation(request: pytest.FixtureRequest, parent: Parent) -> Allocation:
    ties = {group.name: group.tie or group.name for group in parent.groups}
    by_name: dict[str, Allocation] = {
        "uniform": Uniform(),
        "global": GlobalRanking(),
        "slimming": Slimming(),
        "sensitivity": SensitivityAllocation(_map(parent), ties),
    }
    return by_name[request.param]


def _channels(spec: ArchSpec) -> float:
    return float(sum(map(len, spec.kept)))


def test_strength_one_keeps_everything_and_less_keeps_a_subset(parent: Parent, allocation: Allocation) -> None:
    cut = cutter(parent, allocation)
    assert cut.spec(1.0) == parent.full_spec()
    specs = [cut.spec(strength) for strength in (0.05, 0.3, 0.6, 0.9)]
    for less, more in pairwise(specs):
        assert all(set(narrow) <= set(wide) for narrow, wide in zip(less.kept, more.kept, strict=True))
    assert _channels(specs[0]) < _channels(specs[-1])


def test_widths_are_aligned_and_ties_hold(parent: Parent, allocation: Allocation) -> None:
    spec = cutter(parent, allocation, multiple=16).spec(0.4)
    check_ties(parent.groups, spec.kept)
    assert all(len(kept) % 16 == 0 or len(kept) == width for kept, width in zip(spec.kept, spec.widths, strict=True))


@pytest.mark.parametrize("share", [0.4, 0.7])
def test_the_share_of_the_cost_is_used_up(parent: Parent, allocation: Allocation, share: float) -> None:
    cut = cutter(parent, allocation)
    spec = cut.at_share(share, _channels)
    whole = _channels(parent.full_spec())
    assert _channels(spec) <= share * whole
    # The last step is taken group by group: what is left is less than the widest group's step of 8, tied or not.
    assert _channels(spec) > share * whole - 64


def test_a_donor_is_cut_further(parent: Parent, donors: dict[str, Donor], allocation: Allocation) -> None:
    donor = donors["one-shot"].candidate
    spec = cutter(parent, allocation, donor).at_share(0.7, _channels)
    assert all(set(new) <= set(old) for new, old in zip(spec.kept, donor.spec.kept, strict=True))
    assert _channels(spec) <= 0.7 * _channels(donor.spec)


def test_global_ranking_gives_groups_different_shares(parent: Parent) -> None:
    spec = cutter(parent, GlobalRanking()).spec(0.6)
    shares = {round(len(kept) / width, 2) for kept, width in zip(spec.kept, spec.widths, strict=True)}
    assert len(shares) > 2


@pytest.mark.parametrize("relative", [True, False])
def test_a_group_that_a_criterion_cannot_judge_stays_whole(parent: Parent, relative: bool) -> None:
    scores = {g.name: {c: float(c) for c in range(g.width)} for g in parent.groups}
    scores["model.5"] = dict.fromkeys(range(128), math.inf)
    spec = Cutter(parent, parent.candidate(), scores, GlobalRanking(relative)).spec(0.3)
    assert len(spec.kept_in("model.5")) == 128
    assert spec.channel_ratio < 0.5


def test_a_threshold_cuts_smaller_scales_and_leaves_a_slice_of_a_dead_group(parent: Parent) -> None:
    scores = {g.name: {c: 0.5 if c % 4 else 0.001 for c in range(g.width)} for g in parent.groups}
    scores["model.5"] = dict.fromkeys(range(128), 0.001)
    spec = Cutter(parent, parent.candidate(), scores, SlimmingAt(0.01)).spec(1.0)
    assert spec.kept_in("model.3") == tuple(c for c in range(64) if c % 4)
    assert len(spec.kept_in("model.5")) == 8


def test_sensitive_groups_keep_more(parent: Parent) -> None:
    ties = {group.name: group.tie or group.name for group in parent.groups}
    spec = cutter(parent, SensitivityAllocation(_map(parent), ties)).at_share(0.75, _channels)
    assert len(spec.kept_in("model.5")) < 64  # backbone, of 128
    assert len(spec.kept_in("model.16")) > 48  # neck, of 64


def test_the_loss_increase_never_falls_with_a_deeper_cut_and_is_never_negative() -> None:
    measured = SensitivityMap("map50_95", 0.5, (0.25, 0.5, 0.75), {"a": (0.4, 0.3, 0.55)})
    assert measured.loss_increases("a") == pytest.approx((0.2, 0.2, 0.0))


@given(st.floats(0.001, 1.0), st.floats(0.001, 1.0))
def test_a_greater_strength_never_narrows_a_group(first: float, second: float) -> None:
    measured = SensitivityMap("loss", 1.0, (0.25, 0.5, 0.75), {"a": (3.0, 1.4, 1.4), "b": (1.1, 1.0, 0.9)})
    allocation = SensitivityAllocation(measured, {"a": "a", "b": "b"})
    scores = {name: dict.fromkeys(range(64), 1.0) for name in "ab"}
    low, high = sorted((first, second))
    less, more = (allocation.widths(scores, strength, 8) for strength in (low, high))
    assert all(less[name] <= more[name] for name in "ab")


@pytest.mark.parametrize("share", [0.0, 1.5])
def test_a_share_outside_zero_to_one_is_refused(parent: Parent, share: float) -> None:
    with pytest.raises(SpaceError, match=f"share {share} is not in"):
        cutter(parent, Uniform()).at_share(share, _channels)


class TestBaselineSpace(SpaceContract):
    @pytest.fixture(scope="class")
    @classmethod
    def space(cls, parent: Parent) -> BaselineSpace:
        return BaselineSpace(cutter(parent, GlobalRanking()), _channels, 0.3, 1.0, 0.1)

    def test_the_parameter_is_a_share(self, space: BaselineSpace) -> None:
        assert space.parameters == {"flops": Float(0.3, 1.0, 0.1)}
