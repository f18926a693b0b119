"""The space of grafts."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from spaces.base import PARENT, Categorical, SpaceError
from spaces.networks.graft import Donor, graft
from spaces.networks.parent import Parent
from spaces.ranking.importance import order
from spaces.search_spaces.grafts import GraftSpace
from spaces.structure.structure import raw_outputs
from tests.spaces.search_spaces.space_contract import SpaceContract, choose
from tests.spaces.silencing import states_differ


@pytest.fixture(scope="module")
def grafts(parent: Parent, donors: dict[str, Donor]) -> GraftSpace:
    everyone = {"parent": Donor(PARENT, parent.candidate()), **donors}
    return GraftSpace(parent, everyone, low=0.5, high=1.0, step=0.125, multiple=8)


class TestGraftSpace(SpaceContract):
    @pytest.fixture
    def space(self, grafts: GraftSpace) -> GraftSpace:
        return grafts


def test_parameters_are_two_donors_and_one_ratio_a_stage(grafts: GraftSpace) -> None:
    stages = ["P1", "P2", "P3", "P4", "P5", "neck", "detect"]
    assert list(grafts.parameters) == ["backbone", "head", *(f"ratio.{stage}" for stage in stages)]
    assert grafts.parameters["head"] == Categorical(("parent", "one-shot", "round-2"))


def test_the_first_graft_is_the_one_made_by_hand(grafts: GraftSpace) -> None:
    points = grafts.start_points()
    pairs = [(point["backbone"], point["head"]) for point in points]
    assert pairs == [("one-shot", "round-2"), ("round-2", "one-shot")], "the parent is cut by other start points"
    assert {value for point in points for name, value in point.items() if name.startswith("ratio.")} == {1.0}


def test_neck_and_detect_begin_with_the_donor_of_the_head(parent: Parent, donors: dict[str, Donor]) -> None:
    first = GraftSpace(parent, donors, parts="stages").start_points()[0]
    of_the_last = {name for name, value in first.items() if value == "round-2"}
    assert of_the_last == {"donor.neck", "donor.detect"}


def test_a_single_donor_gives_one_start(parent: Parent, donors: dict[str, Donor]) -> None:
    (point,) = GraftSpace(parent, {"one-shot": donors["one-shot"]}).start_points()
    assert (point["backbone"], point["head"]) == ("one-shot", "one-shot")


@pytest.mark.parametrize("name", ["one-shot", "round-2"])
def test_a_donors_own_backbone_and_head_are_the_donor_bit_for_bit(
    grafts: GraftSpace, donors: dict[str, Donor], name: str
) -> None:
    spec, origin = grafts.decode({**choose(grafts, 1.0), "backbone": name, "head": name})
    built = grafts.build(spec, origin)
    assert spec == donors[name].candidate.spec
    assert origin.sources == (donors[name].hash,)
    assert states_differ(built.network.state_dict(), donors[name].candidate.network.state_dict()) == []


def test_a_whole_donor_is_a_point(grafts: GraftSpace, donors: dict[str, Donor]) -> None:
    for donor in donors.values():
        point = grafts.point_of_donor(donor.hash)
        assert point is not None
        spec, origin = grafts.decode(point)
        assert spec == donor.candidate.spec
        assert set(origin.sources) == {donor.hash}
    assert grafts.point_of_donor("another checkpoint") is None


def test_the_parent_with_its_own_head_is_the_parent(grafts: GraftSpace, parent: Parent) -> None:
    spec, origin = grafts.decode({**choose(grafts, 1.0), "backbone": "parent", "head": "parent"})
    assert spec == parent.full_spec()
    built = grafts.build(spec, origin)
    assert states_differ(built.network.state_dict(), parent.network.state_dict()) == []


def test_backbone_features_of_a_graft_are_those_of_its_donor(
    grafts: GraftSpace, donors: dict[str, Donor], parent: Parent
) -> None:
    joined = graft(parent=parent, backbone=donors["one-shot"], head=donors["round-2"])
    head = donors["round-2"].candidate
    donor: Any = donors["one-shot"].candidate.network
    network: Any = joined.network
    x = y = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        for ours, theirs in zip(network.model[:10], donor.model[:10], strict=True):
            x, y = ours(x), theirs(y)
        assert torch.equal(x, y)
        assert all(torch.isfinite(o).all() for o in raw_outputs(joined.network, torch.rand(1, 3, 64, 64)))
    index = joined.spec.groups.index("model.15.cv2")
    assert joined.spec.kept[index] == head.spec.kept[index]


def test_where_the_head_reads_channels_that_its_donor_has_cut_weights_are_the_parents(
    parent: Parent, donors: dict[str, Donor]
) -> None:
    wide, narrow = donors["one-shot"], donors["round-2"]
    joined = graft(parent=parent, backbone=wide, head=narrow)
    # model.21.cv1 reads model.19 (neck), then model.9.cv2 (backbone).
    rows = narrow.candidate.spec.kept_in("model.21.cv1:0") + tuple(
        128 + channel for channel in narrow.candidate.spec.kept_in("model.21.cv1:1")
    )
    offset = len(narrow.candidate.spec.kept_in("model.19"))
    seen = narrow.candidate.spec.kept_in("model.9.cv2")
    weight = joined.network.state_dict()["model.21.cv1.conv.weight"]
    theirs = narrow.candidate.network.state_dict()["model.21.cv1.conv.weight"]
    whole = parent.network.state_dict()["model.21.cv1.conv.weight"]
    backbone = wide.candidate.spec.kept_in("model.9.cv2")
    assert set(seen) < set(backbone)
    for position, channel in enumerate(backbone):
        column = weight[:, offset + position]
        if channel in seen:
            assert torch.equal(column, theirs[:, offset + seen.index(channel)])
        else:
            assert torch.equal(column, whole[list(rows), 128 + channel])


def test_a_ratio_keeps_the_best_of_the_donors_channels(
    grafts: GraftSpace, donors: dict[str, Donor], parent: Parent
) -> None:
    params = {**choose(grafts, 1.0), "backbone": "one-shot", "head": "round-2", "ratio.P5": 0.5}
    spec, _ = grafts.decode(params)
    ranked = order(donors["one-shot"].candidate, parent)["model.7"]
    assert len(ranked) == 192  # of the parent's 256
    assert set(spec.kept_in("model.7")) == set(ranked[:96])
    assert spec.kept_in("model.5") == donors["one-shot"].candidate.spec.kept_in("model.5")


def test_a_donor_that_does_not_exist_is_named_with_those_that_do(grafts: GraftSpace) -> None:
    with pytest.raises(SpaceError, match="'head' is 'round-9'; it can be parent, one-shot, round-2"):
        grafts.decode({**choose(grafts, 1.0), "head": "round-9"})


def test_a_space_needs_a_donor(parent: Parent) -> None:
    with pytest.raises(SpaceError, match="at least one donor"):
        GraftSpace(parent, {})


def test_a_donor_of_another_parent_is_refused(parent: Parent) -> None:
    other = Parent.load("yolov8n.yaml", classes=7).candidate()
    with pytest.raises(SpaceError, match="not of this one"):
        GraftSpace(parent, {"stranger": Donor("c" * 32, other)})
