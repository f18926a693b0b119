"""How exact a cut is, for each family: any index set, every group, in evaluation and in training."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from spaces.allocation.uniform import uniform
from spaces.base import ArchSpec
from spaces.networks.parent import Parent
from spaces.structure.groups import tied
from tests.spaces.silencing import (
    DOUBLE_TOLERANCE,
    TOLERANCE,
    difference,
    differences,
    distance,
    images,
    off_by_one,
    outputs,
    random_spec,
    randomise_batchnorm,
    rolled,
    silenced,
    states_differ,
)
from tests.spaces.trained_look import make_look_trained

FAMILIES = ("yolov5n", "yolov8n", "yolov9t", "yolov10n", "yolo11n", "yolo12n", "yolo26n")

WRONG = 5 * TOLERANCE  # the least that one wrong channel number has to change; 50 times as much is usual


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest) -> Iterator[Parent]:
    parent = Parent.load(f"{request.param}.yaml", classes=3, imgsz=64, seed=2)
    make_look_trained(parent.network, seed=2)
    before = copy.deepcopy(parent.network.state_dict())
    yield parent
    assert states_differ(before, parent.network.state_dict()) == []


@pytest.mark.parametrize("train", [False, True], ids=["eval", "train"])
def test_an_uncut_network_gives_the_same_outputs(family: Parent, train: bool) -> None:
    built = family.build(family.full_spec()).network.train(train)
    whole = copy.deepcopy(family.network).train(train)
    # Equal tensors in equal modules: 0 here. Another processor may choose another algorithm for each call.
    assert distance(outputs(built, images()), outputs(whole, images())) <= 1e-5
    assert states_differ(family.build(family.full_spec()).network.state_dict(), family.network.state_dict()) == []


@pytest.mark.parametrize(("share", "seed"), [(0.95, 0), (0.8, 1), (0.5, 2), (0.2, 3)])
def test_any_index_set_gives_the_parent_with_those_channels_silenced(family: Parent, share: float, seed: int) -> None:
    spec = random_spec(family, share, seed)
    right, wrong = differences(family, spec, spec, rolled(spec))
    assert right < TOLERANCE
    assert wrong > 1e-2


def test_fresh_weights_with_random_statistics_are_cut_as_exactly(family: Parent) -> None:
    other = replace(family, network=copy.deepcopy(family.network))
    randomise_batchnorm(other.network, seed=4)
    for share in (0.9, 0.3):
        assert difference(other, random_spec(other, share, seed=4)) < TOLERANCE


@pytest.mark.parametrize(("share", "seed"), [(0.9, 4), (0.3, 5)])
def test_a_cut_is_exact_in_training_with_the_statistics_of_the_batch(family: Parent, share: float, seed: int) -> None:
    spec = random_spec(family, share, seed)
    # In float64, because batch norms divide by small deviations: through the 145 groups of YOLOv9 float32 alone errs by
    # 5e-3. The next test checks float32.
    right, wrong = differences(family, spec, spec, rolled(spec), train=True, dtype=torch.float64)
    assert right < DOUBLE_TOLERANCE
    assert wrong > 1e-2


def test_training_in_float32_differs_by_no_more_than_its_own_rounding(family: Parent) -> None:
    spec = random_spec(family, 0.6, seed=6)
    whole = replace(family, network=copy.deepcopy(family.network).train())
    exact = replace(family, network=copy.deepcopy(whole.network).double())
    with silenced(whole, spec) as network, silenced(exact, spec) as truth:
        theirs = outputs(network, images())
        rounding = distance([output.double() for output in theirs], outputs(truth, images(torch.float64)))
    ours = outputs(family.build(spec).network.train(), images())
    assert distance(ours, theirs) < max(TOLERANCE, 4 * rounding)  # two such errors, each about as large
    assert rounding < 0.02


def test_training_leaves_the_statistics_that_the_silenced_parent_gets(family: Parent) -> None:
    spec = random_spec(family, 0.6, seed=7)
    cut: Any = family.build(spec).network.double().train()
    whole = replace(family, network=copy.deepcopy(family.network).double().train())
    outputs(cut, images(torch.float64))
    with silenced(whole, spec) as network:
        outputs(network, images(torch.float64))
    again = whole.build(spec).network.double().state_dict()  # cut after the step instead of before
    for name, tensor in cut.state_dict().items():
        assert torch.allclose(tensor, again[name], rtol=1e-9, atol=1e-9), name


@pytest.mark.parametrize("one", [False, True], ids=["many", "one"])
def test_a_single_group_that_keeps_many_channels_or_one_is_cut_exactly(family: Parent, one: bool) -> None:
    for index in _spread(family, 4):
        name, width = family.groups[index].name, family.groups[index].width
        spec = _only(family, index, [width // 2] if one else [channel for channel in range(width) if channel % 3 != 1])
        wrong = off_by_one(spec, index)
        assert wrong is not None, name
        right, noticed = differences(family, spec, spec, wrong)
        assert right < TOLERANCE, name
        assert noticed > WRONG, name


def test_all_groups_may_keep_a_single_channel(family: Parent) -> None:
    spec = family.spec({group.name: [group.width // 3] for group in family.groups})
    right, wrong = differences(family, spec, spec, rolled(spec))
    assert right < TOLERANCE
    assert wrong > 1e-2


@pytest.mark.slow
def test_one_wrong_channel_number_in_any_group_is_noticed(family: Parent) -> None:
    spec = random_spec(family, 0.8, seed=8)
    image = images()[:1]
    ours = outputs(family.build(spec).network, image)
    unnoticed, tried = [], 0
    for index, group in enumerate(family.groups):
        wrong = off_by_one(spec, index)
        if wrong is not None:
            tried += 1
            with silenced(family, wrong) as network:
                if distance(ours, outputs(network, image)) < WRONG:
                    unnoticed.append(group.name)
    assert unnoticed == []
    assert tried > 0.9 * len(family.groups)


@pytest.mark.parametrize("train", [False, True], ids=["eval", "train"])
def test_the_oracle_silences_exactly_the_cut_channels_that_layers_read(family: Parent, train: bool) -> None:
    spec = random_spec(family, 0.6, seed=9)
    whole = replace(family, network=copy.deepcopy(family.network).train(train))
    read: dict[str, Tensor] = {}
    for name, module in whole.network.named_modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_pre_hook(lambda _, x, name=name: read.update({name: x[0].abs().sum((0, 2, 3))}))
    with silenced(whole, spec) as network:
        outputs(network, images())
    for group, kept in zip(family.groups, spec.kept, strict=True):
        for member in group.members:
            if member.side == "in":
                loudness = read[member.module][list(member.positions)]
                assert (loudness > 0).nonzero().flatten().tolist() == list(kept), member.module


def test_most_of_each_family_can_be_cut(family: Parent) -> None:
    half = family.build(uniform(family, 0.5)).network
    # Half the width leaves a quarter of most weights; only attention and the final convolutions stay whole.
    assert _parameters(half) < 0.4 * _parameters(family.network)


def _only(parent: Parent, index: int, kept: list[int]) -> ArchSpec:
    """The spec that keeps these channels of one group, and as many of the groups tied to it."""
    names = next(indices for indices in tied(parent.groups).values() if index in indices)
    return parent.spec({parent.groups[other].name: kept for other in names})


def _spread(parent: Parent, count: int) -> list[int]:
    """Indices of that many groups, evenly spread over the network."""
    return [len(parent.groups) * part // count + 1 for part in range(count)]


def _parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())
