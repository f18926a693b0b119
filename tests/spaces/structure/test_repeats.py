"""Residual bottlenecks that are left out, and the space of their numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import torch

from spaces.base import ArchSpec, Integer, SpaceError
from spaces.networks.checkpoint import load, save
from spaces.networks.graft import Donor, graft
from spaces.networks.parent import Parent
from spaces.ranking.importance import order
from spaces.search_spaces.channels import ChannelRatioSpace
from spaces.search_spaces.repeats import RepeatsSpace
from spaces.structure.structure import raw_outputs
from tests.spaces.search_spaces.space_contract import SpaceContract, choose
from tests.spaces.silencing import TOLERANCE, random_spec, randomise_batchnorm, silenced, states_differ

BACKBONE = ("model.2.m.0", "model.4.m.0", "model.4.m.1", "model.6.m.0", "model.6.m.1", "model.8.m.0")


def _shortened(parent: Parent, dropped: tuple[str, ...], share: float = 0.7) -> ArchSpec:
    base = random_spec(parent, share, seed=3)
    return parent.spec(dict(zip(base.groups, base.kept, strict=True)), dropped=dropped)


@contextmanager
def _without_branches(parent: Parent, spec: ArchSpec) -> Iterator[None]:
    """The parent's bottlenecks return their inputs. Independent of cutting."""
    with ExitStack() as stack:
        for name in spec.dropped:
            module = parent.network.get_submodule(name)
            stack.callback(module.register_forward_hook(lambda _, inputs, __: inputs[0]).remove)
        yield


def _difference(parent: Parent, spec: ArchSpec, *, silence: ArchSpec | None = None) -> float:
    images = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(7))
    cut = parent.build(spec).network
    with torch.no_grad(), _without_branches(parent, silence or spec), silenced(parent, silence or spec) as whole:
        pairs = zip(raw_outputs(cut, images), raw_outputs(whole, images), strict=True)
        return max(((ours - theirs).abs().max() / theirs.std()).item() for ours, theirs in pairs)


@pytest.fixture(scope="module")
def loud(parent: Parent) -> Parent:
    """A parent whose residual branches matter; those of fresh weights hardly do."""
    candidate = parent.candidate()
    with torch.no_grad():
        for name in BACKBONE:
            candidate.network.state_dict()[f"{name}.cv2.bn.weight"].mul_(20)
    return parent.with_weights(candidate)


@pytest.mark.parametrize("dropped", [("model.4.m.0",), ("model.4.m.1", "model.8.m.0"), BACKBONE])
def test_a_shortened_network_equals_the_parent_with_those_bottlenecks_silenced(
    loud: Parent, dropped: tuple[str, ...]
) -> None:
    spec = _shortened(loud, dropped)
    assert _difference(loud, spec) < TOLERANCE
    assert _difference(loud, spec, silence=_shortened(loud, ("model.6.m.0",))) > 1e-2


@pytest.mark.slow
@pytest.mark.parametrize("family", ["yolov5n", "yolov9t", "yolov10n", "yolo11n", "yolo12n", "yolo26n"])
def test_dropping_bottlenecks_is_exact_in_each_family(family: str) -> None:
    parent = Parent.load(f"{family}.yaml", classes=3, imgsz=64)
    randomise_batchnorm(parent.network, seed=0)
    names = tuple(repeat.name for repeat in parent.repeats)
    assert len(names) >= 7
    for dropped in (names[::2], names):
        assert _difference(parent, _shortened(parent, dropped)) < TOLERANCE


def test_groups_inside_a_dropped_bottleneck_do_not_distinguish_specs(parent: Parent) -> None:
    first = parent.spec({"model.4.m.1.cv1": 8}, dropped=["model.4.m.1"])
    assert first == parent.spec({}, dropped=["model.4.m.1"])
    assert first.key != parent.full_spec().key
    assert first.shape_key != parent.full_spec().shape_key
    assert not first.is_whole


def test_the_order_in_which_bottlenecks_are_named_does_not_matter(parent: Parent) -> None:
    assert parent.spec({}, dropped=["model.8.m.0", "model.2.m.0"]).dropped == ("model.2.m.0", "model.8.m.0")


def test_a_bottleneck_that_does_not_exist_is_named_with_those_that_do(parent: Parent) -> None:
    with pytest.raises(SpaceError, match=r"no residual bottleneck 'model.15.m.0'; it has model.2.m.0, "):
        parent.spec({}, dropped=["model.15.m.0"])  # of the neck, where YOLOv8 has no shortcuts


def test_a_spec_that_is_not_canonical_is_refused(parent: Parent) -> None:
    full = parent.full_spec()
    with pytest.raises(SpaceError, match="is not canonical"):
        parent.build(ArchSpec(full.parent, full.groups, full.widths, full.kept, ("model.8.m.0", "model.2.m.0")))


def test_a_shortened_network_is_saved_and_loaded_bit_for_bit(parent: Parent, tmp_path: Path) -> None:
    candidate = parent.build(_shortened(parent, ("model.4.m.0", "model.6.m.1")))
    candidate.network.half().float()  # what a checkpoint holds
    save(candidate, tmp_path / "it")
    loaded = load(tmp_path / "it")
    assert loaded.spec == candidate.spec
    assert states_differ(loaded.network.state_dict(), candidate.network.state_dict()) == []


def test_a_donor_with_dropped_bottlenecks_grafted_with_itself_keeps_its_weights(parent: Parent) -> None:
    donor = parent.build(_shortened(parent, ("model.4.m.0", "model.6.m.0", "model.6.m.1")))
    randomise_batchnorm(donor.network, seed=9)
    again = graft(backbone=donor, head=donor)
    assert states_differ(again.network.state_dict(), donor.network.state_dict()) == []
    further = parent.build(donor.spec, again.origin, {again.origin.layers[0]: donor})
    assert states_differ(further.network.state_dict(), donor.network.state_dict()) == []


def test_a_graft_drops_the_bottlenecks_that_the_donor_of_that_part_dropped(
    parent: Parent, donors: dict[str, Donor]
) -> None:
    short = parent.build(_shortened(parent, BACKBONE[:3]))
    assert graft(backbone=short, head=donors["one-shot"]).spec.dropped == BACKBONE[:3]
    assert graft(backbone=donors["one-shot"], head=short).spec.dropped == ()


class TestRepeatsSpace(SpaceContract):
    @pytest.fixture(scope="class")
    @classmethod
    def space(cls, parent: Parent) -> RepeatsSpace:
        return RepeatsSpace(_ratios(parent), parent.structure, BACKBONE[::-1])

    def test_each_stage_with_residual_bottlenecks_has_a_number(self, space: RepeatsSpace) -> None:
        numbers = {name: each for name, each in space.parameters.items() if name.startswith("repeats.")}
        assert numbers == {f"repeats.P{stage}": Integer(0, high) for stage, high in ((5, 1), (4, 2), (3, 2), (2, 1))}

    def test_the_least_important_bottlenecks_are_dropped_first(self, space: RepeatsSpace) -> None:
        params = {**choose(space, 1.0), "repeats.P3": 1, "repeats.P4": 0}
        assert space.decode(params)[0].dropped == ("model.4.m.0", "model.6.m.0", "model.6.m.1")

    def test_the_first_trials_keep_all_bottlenecks(self, space: RepeatsSpace) -> None:
        assert [space.decode(point)[0].dropped for point in space.start_points()] == [(), (), ()]

    def test_half_a_bottleneck_is_refused(self, space: RepeatsSpace) -> None:
        with pytest.raises(SpaceError, match=r"parameter 'repeats.P3' is 0.5; it must be a whole number"):
            space.decode({**choose(space, 1.0), "repeats.P3": 0.5})


def test_a_parent_without_residual_bottlenecks_is_refused(parent: Parent) -> None:
    bare = Parent.load({**parent.model, "backbone": _no_shortcuts(parent)}, classes=3, imgsz=64)
    with pytest.raises(SpaceError, match="no residual bottleneck"):
        RepeatsSpace(_ratios(bare), bare.structure, [])


def _ratios(parent: Parent) -> ChannelRatioSpace:
    return ChannelRatioSpace(parent, order(parent.candidate(), parent))


def _no_shortcuts(parent: Parent) -> list[list[object]]:
    return [[*layer[:3], [layer[3][0], False]] if layer[2] == "C2f" else layer for layer in parent.model["backbone"]]
