"""torch-pruning as an oracle: its dependency graph couples the same channels, and its criteria give the same scores.

The larger YOLOv9 (c, e) are left out: for them the graph couples the halves of ADown wrongly, without an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from spaces.networks.parent import Parent
from spaces.ranking.criteria import Criterion, channel_terms, layer_adaptive
from spaces.ranking.importance import mean_scales, scores
from spaces.structure.groups import ChannelGroup
from spaces.structure.structure import raw_outputs
from tests.spaces.structure.oracle import Oracle, torch_pruning

FAMILIES = ("yolov5n", "yolov8n", "yolov9t", "yolov10n", "yolo11n", "yolo12n", "yolo26n")


@pytest.fixture(scope="module", params=FAMILIES)
def pair(request: pytest.FixtureRequest) -> tuple[Parent, Oracle]:
    """A parent and the oracle of its network."""
    made = Parent.load(f"{request.param}.yaml", classes=3)
    return made, Oracle(made.network)


@pytest.fixture(scope="module")
def v8n(parent: Parent) -> Oracle:
    """The oracle on the shared YOLOv8n."""
    return Oracle(parent.network)


def test_our_groups_are_those_of_torch_pruning(pair: tuple[Parent, Oracle]) -> None:
    parent, oracle = pair
    for group in parent.groups:
        first = group.members[0]
        theirs = oracle.coupled(first.module, first.positions)
        ours = {
            (channel, (member.module, member.side, position))
            for member in group.members
            for channel, position in enumerate(member.positions)
        }
        assert ours == theirs, group.name


def test_channels_that_we_keep_whole_are_outputs_or_meet_attention(pair: tuple[Parent, Oracle]) -> None:
    parent, oracle = pair
    made = [member for group in parent.groups for member in group.members if member.side == "out"]
    in_groups = {(member.module, position) for member in made for position in member.positions}
    for name, module in parent.network.named_modules():
        # A convolution without batch norm is an output (or DFL's fixed one).
        if not isinstance(module, nn.Conv2d) or not name.endswith(".conv") or ".dfl." in name:
            continue
        everything = range(module.out_channels)
        if not oracle.is_in_attention(name) and any((name, position) not in in_groups for position in everything):
            # The other half of a split convolution stays whole with the one that meets attention.
            assert any(oracle.is_in_attention(met) for _, (met, _, _) in oracle.coupled(name, everything)), name


def test_the_oracle_reads_the_same_network(parent: Parent, v8n: Oracle) -> None:
    images = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(7))
    with torch.no_grad():
        for ours, theirs in zip(*(raw_outputs(n, images) for n in (parent.network, v8n.network)), strict=True):
            # Two convolutions in place of one may sum in another order.
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("criterion", "power"), [("l1", 1), ("l2", 2)])
def test_magnitudes_equal_those_of_torch_pruning_summed_over_convolutions(
    parent: Parent, v8n: Oracle, criterion: Criterion, power: int
) -> None:
    theirs = torch_pruning.importance.GroupMagnitudeImportance(
        p=power, group_reduction="sum", normalizer=None, target_types=[nn.Conv2d]
    )
    ours = scores(parent.candidate(), parent, criterion)
    _assert_equal(parent, v8n, theirs, lambda group: _tensor(ours[group.name]))


def test_torch_pruning_skips_depthwise_convolutions_and_we_do_not() -> None:
    parent = Parent.load("yolo11n.yaml", classes=3)
    theirs = torch_pruning.importance.GroupMagnitudeImportance(
        p=2, group_reduction="sum", normalizer=None, target_types=[nn.Conv2d]
    )
    ours = scores(parent.candidate(), parent, "l2")
    state = parent.network.state_dict()
    counted = []

    def without_depthwise(group: ChannelGroup) -> Tensor:
        rest = _tensor(ours[group.name])
        for member in group.members:
            if parent.network.get_submodule(member.module).__dict__.get("groups", 1) > 1:
                counted.append(member.module)
                rest -= state[f"{member.module}.weight"].double().square().sum((1, 2, 3))[list(member.positions)]
        return rest

    _assert_equal(parent, Oracle(parent.network), theirs, without_depthwise)
    assert len(counted) == 6  # two in each of the three class towers


def test_lamp_of_the_layer_that_makes_a_channel_equals_that_of_torch_pruning(parent: Parent, v8n: Oracle) -> None:
    """We weight the terms of each layer and sum them over a group; torch-pruning weights the sum instead."""
    theirs = torch_pruning.importance.LAMPImportance(group_reduction="first")
    state = parent.network.state_dict()

    def ours(group: ChannelGroup) -> Tensor:
        first = group.members[0]
        terms = channel_terms(state, first.module, first.side, "lamp")
        assert terms is not None
        return layer_adaptive(terms[list(first.positions)])

    _assert_equal(parent, v8n, theirs, ours)


def test_taylor_equals_that_of_torch_pruning_plus_the_terms_of_batch_norms() -> None:
    """torch-pruning leaves batch norms out of `taylor`: it looks for group norms instead.

    Of YOLOv5, where no convolution is rewritten: |a + b| of the whole is not |a| + |b| of its halves.
    """
    parent = Parent.load("yolov5n.yaml", classes=3)
    oracle = Oracle(parent.network)
    gradients = {name: torch.sin(100 * weights.detach()) for name, weights in parent.network.named_parameters()}
    for name, parameter in oracle.network.named_parameters():
        parameter.grad = gradients[name]
    theirs = torch_pruning.importance.GroupTaylorImportance(
        group_reduction="sum", normalizer=None, multivariable=True, target_types=[nn.Conv2d, nn.BatchNorm2d]
    )
    ours = scores(parent.candidate(), parent, "taylor", gradients=gradients)
    state = parent.network.state_dict()

    def without_norms(group: ChannelGroup) -> Tensor:
        rest = _tensor(ours[group.name])
        for member in group.members:
            if member.module.endswith(".bn"):
                term = channel_terms(state, member.module, member.side, "taylor", gradients)
                assert term is not None
                rest -= term[list(member.positions)]
        return rest

    _assert_equal(parent, oracle, theirs, without_norms)


def test_mean_scales_equal_those_of_torch_pruning(parent: Parent, v8n: Oracle) -> None:
    theirs = torch_pruning.importance.BNScaleImportance(group_reduction="mean", normalizer=None)
    ours = mean_scales(parent.candidate(), parent, after_sparsity=True)
    _assert_equal(parent, v8n, theirs, lambda group: _tensor(ours[group.name]))


def _tensor(scores: Mapping[int, float]) -> Tensor:
    return torch.tensor(list(scores.values()), dtype=torch.float64)


def _assert_equal(parent: Parent, oracle: Oracle, theirs: Any, ours: Callable[[ChannelGroup], Tensor]) -> None:
    for group in parent.groups:
        first = group.members[0]
        half = first.positions[0] // group.width  # of the rewritten convolution; all its channels are the group
        their = theirs(oracle.group(first.module, half, range(group.width)))
        # Theirs is summed in float32.
        torch.testing.assert_close(ours(group), their.double(), rtol=1e-4, atol=1e-5)
