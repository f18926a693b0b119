"""Cutting is exact: the cut network has the outputs of the whole one with those channels silenced."""

from __future__ import annotations

import copy
import time
from typing import Any

import pytest
import torch
from torch import nn

import spaces.offline  # noqa: F401  (before ultralytics)
from spaces.allocation.uniform import uniform
from spaces.base import PARENT, SCRATCH, ArchSpec, Origin, SpaceError
from spaces.networks.parent import Parent
from spaces.structure.groups import tied
from spaces.structure.structure import raw_outputs
from tests.spaces.silencing import TOLERANCE, difference, random_spec, rolled, states_differ

# isort: split
from ultralytics.nn.tasks import DetectionModel


@pytest.mark.parametrize("share", [0.9, 0.6, 0.25])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_cut_network_equals_the_parent_with_those_channels_silenced(parent: Parent, share: float, seed: int) -> None:
    spec = random_spec(parent, share, seed)
    assert difference(parent, spec) < TOLERANCE


@pytest.mark.parametrize("share", [0.9, 0.6, 0.25])
def test_the_oracle_notices_channel_numbers_that_are_off_by_one(parent: Parent, share: float) -> None:
    spec = random_spec(parent, share, seed=0)
    # A real fault is hundreds of times the tolerance; 1e-2 of a standard deviation leaves no doubt.
    assert difference(parent, spec, silence=rolled(spec)) > 1e-2


def test_a_plan_that_cuts_a_single_channel_is_exact(parent: Parent) -> None:
    spec = parent.spec({"model.4.cv2": [c for c in range(64) if c != 17]})
    assert difference(parent, parent.full_spec(), silence=spec) > TOLERANCE  # that channel matters
    assert difference(parent, spec) < TOLERANCE


def test_cutting_nothing_changes_no_bit(parent: Parent) -> None:
    built = parent.build(parent.full_spec())
    assert states_differ(built.network.state_dict(), parent.network.state_dict()) == []
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        pairs = zip(raw_outputs(built.network, images), raw_outputs(parent.network, images), strict=True)
        assert all(torch.equal(ours, theirs) for ours, theirs in pairs)


def test_the_network_stays_a_stock_detection_model_in_all_its_sizes(parent: Parent) -> None:
    candidate = parent.build(random_spec(parent, 0.5, seed=5))
    network: Any = candidate.network
    assert type(network) is DetectionModel
    assert network.names == {0: "cat", 1: "dog", 2: "bird"}
    assert network.nc == 3
    assert network.args.imgsz == 64
    assert network.stride.tolist() == [8, 16, 32]
    for name, module in network.named_modules():
        assert type(module) is type(parent.network.get_submodule(name))
        if isinstance(module, nn.Conv2d):
            rows, columns = module.weight.shape[:2]
            assert (module.out_channels, module.in_channels) == (rows, columns * module.groups), name
        if isinstance(module, nn.BatchNorm2d):
            assert module.num_features == module.weight.numel() == module.bias.numel(), name
    assert network.model[4].c == len(candidate.spec.kept_in("model.4.cv1:0"))


def test_the_split_form_that_exporters_use_gives_the_same_outputs(parent: Parent) -> None:
    network: Any = parent.build(random_spec(parent, 0.5, seed=6)).network
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        chunked = raw_outputs(network, images)
        for module in network.modules():
            if hasattr(module, "forward_split"):
                module.forward = module.forward_split
        split = raw_outputs(network, images)
    assert all(torch.equal(a, b) for a, b in zip(chunked, split, strict=True))


def test_a_cut_network_trains_with_the_stock_loss(parent: Parent) -> None:
    network: Any = copy.deepcopy(parent.build(random_spec(parent, 0.5, seed=7)).network).train()
    batch = {
        "img": torch.rand(2, 3, 64, 64),
        "cls": torch.tensor([[0.0], [2.0]]),
        "bboxes": torch.tensor([[0.5, 0.5, 0.4, 0.4], [0.4, 0.6, 0.3, 0.3]]),
        "batch_idx": torch.tensor([0.0, 1.0]),
    }
    loss, _ = network.loss(batch)
    loss.sum().backward()
    without = [name for name, p in network.named_parameters() if p.requires_grad and p.grad is None]
    assert torch.isfinite(loss).all()
    assert without == []
    assert not network.model[-1].dfl.conv.weight.requires_grad


def test_building_leaves_the_parent_as_it_is(parent: Parent) -> None:
    before = {name: tensor.clone() for name, tensor in parent.network.state_dict().items()}
    built = parent.build(random_spec(parent, 0.5, seed=8)).network
    with torch.no_grad():
        for tensor in built.state_dict().values():
            tensor.zero_()
    assert states_differ(before, parent.network.state_dict()) == []
    whole: Any = parent.network
    assert whole.model[4].c == 32


def test_fresh_weights_depend_on_the_seed_alone_and_fit_the_width(parent: Parent) -> None:
    spec = uniform(parent, 0.5)
    origin = Origin((SCRATCH,) * len(parent.layer_sections))
    first = parent.build(spec, origin).network.state_dict()
    torch.rand(3)  # the global generator moves on
    again = parent.build(spec, origin).network.state_dict()
    assert states_differ(first, again) == []
    assert torch.equal(first["model.0.bn.running_var"], torch.ones(8))
    assert torch.equal(first["model.22.dfl.conv.weight"].flatten(), torch.arange(16.0))
    bound = (1 / (first["model.5.conv.weight"][0].numel())) ** 0.5  # of Conv2d's own initialisation
    assert 0.9 * bound < first["model.5.conv.weight"].abs().max() <= bound
    assert torch.equal(first["model.22.cv2.0.2.bias"], torch.full((64,), 2.0))  # Detect.bias_init


def test_layers_from_scratch_stand_beside_inherited_ones(parent: Parent) -> None:
    sources = [PARENT] * len(parent.layer_sections)
    sources[4] = SCRATCH
    built = parent.build(parent.full_spec(), Origin(tuple(sources))).network.state_dict()
    changed = states_differ(built, parent.network.state_dict())
    assert changed
    assert {name.split(".")[1] for name in changed} == {"4"}


def test_halves_of_unequal_width_are_refused(parent: Parent) -> None:
    with pytest.raises(SpaceError, match=r"'model.2.cv1:0', 'model.2.cv1:1' keep \[8, 16\] channels"):
        parent.spec({"model.2.cv1:0": 8})


def test_a_spec_of_another_parent_is_refused(parent: Parent) -> None:
    full = parent.full_spec()
    foreign = ArchSpec("0" * 32, full.groups, full.widths, full.kept)
    with pytest.raises(SpaceError, match="is of parent 00000000"):
        parent.build(foreign)


def test_a_donor_that_was_not_given_is_named(parent: Parent) -> None:
    with pytest.raises(SpaceError, match="names the donor abc, which is not among the sources"):
        parent.build(parent.full_spec(), Origin(("abc",) * len(parent.layer_sections)))


def test_building_takes_less_than_a_tenth_of_a_second(parent: Parent) -> None:
    spec = uniform(parent, 0.5)
    parent.build(spec)
    times = []
    for _ in range(5):
        begun = time.thread_time()
        parent.build(spec)
        times.append(time.thread_time() - begun)
    assert min(times) < 0.1  # seconds of CPU, so that other work on the machine does not count


def test_every_group_has_a_producer_and_ties_are_halves(parent: Parent) -> None:
    for group in parent.groups:
        assert any(member.side == "out" and member.module.endswith("conv") for member in group.members)
    ties = {name: indices for name, indices in tied(parent.groups).items() if len(indices) > 1}
    assert len(ties) == 8  # one for each C2f
    assert all(len({parent.groups[i].width for i in indices}) == 1 for indices in ties.values())
