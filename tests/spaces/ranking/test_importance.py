"""Orders of importance."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

import spaces.offline  # noqa: F401  (before ultralytics)
from spaces.base import Candidate, SpaceError
from spaces.networks.parent import Parent
from spaces.ranking.criteria import CRITERIA, Criterion, layer_adaptive
from spaces.ranking.importance import mean_scales, order, repeat_scores, scores
from spaces.structure.groups import ChannelGroup
from tests.spaces.silencing import random_spec, randomise_batchnorm

# isort: split
from ultralytics.utils.torch_utils import fuse_conv_and_bn


@pytest.fixture(scope="module")
def v9t() -> Parent:
    """YOLOv9t, whose RepConv makes one channel by two convolutions."""
    made = Parent.load("yolov9t.yaml", classes=3, imgsz=64)
    randomise_batchnorm(made.network, seed=3)
    return made


def test_an_order_is_a_permutation_of_the_kept_channels(parent: Parent) -> None:
    candidate = parent.build(random_spec(parent, 0.6, seed=1))
    ranked = order(candidate, parent)
    assert tuple(ranked) == candidate.spec.groups
    for name, kept in zip(candidate.spec.groups, candidate.spec.kept, strict=True):
        assert sorted(ranked[name]) == list(kept)


@pytest.mark.parametrize("criterion", ["l2", "l1", "lamp"])
def test_a_channel_of_larger_weights_comes_first_and_a_dead_one_last(parent: Parent, criterion: Criterion) -> None:
    candidate = parent.candidate()
    state = candidate.network.state_dict()
    state["model.3.conv.weight"][11] *= 10
    state["model.3.conv.weight"][5] = 0  # the layer that makes it
    state["model.4.cv1.conv.weight"][:, 5] = 0  # the layer that reads it
    ranked = order(candidate, parent, criterion)["model.3"]
    assert (ranked[0], ranked[-1]) == (11, 5)


def test_importance_is_the_sum_over_all_layers_that_make_and_read_a_channel(parent: Parent) -> None:
    state = parent.network.state_dict()
    made = state["model.9.cv1.conv.weight"].double().square().flatten(1).sum(1)
    read = state["model.9.cv2.conv.weight"].double().square().flatten(2).sum((0, 2)).reshape(4, 128).sum(0)
    found = scores(parent.candidate(), parent)["model.9.cv1"]
    # Sums of some 1e5 float64 terms in another order.
    assert torch.allclose(torch.tensor(list(found.values()), dtype=torch.float64), made + read, rtol=1e-9, atol=0)


@pytest.mark.parametrize("criterion", ["l1", "l2", "lamp"])
def test_batch_norms_do_not_count_in_magnitudes(parent: Parent, criterion: Criterion) -> None:
    candidate = parent.candidate()
    before = order(candidate, parent, criterion)
    candidate.network.state_dict()["model.3.bn.weight"].copy_(torch.rand(64) * 100)
    assert order(candidate, parent, criterion) == before


def test_a_cut_network_is_ranked_by_its_own_weights_under_the_parents_numbers(parent: Parent) -> None:
    kept = tuple(range(1, 64, 2))
    candidate = parent.build(parent.spec({"model.3": kept}))
    candidate.network.state_dict()["model.3.conv.weight"][7] *= 10  # the eighth kept channel
    assert order(candidate, parent)["model.3"][0] == 15


@pytest.mark.parametrize("criterion", CRITERIA)
def test_a_cut_networks_scores_are_the_parents_where_no_layer_of_the_group_is_cut(
    v9t: Parent, criterion: Criterion
) -> None:
    last = v9t.groups[-1]
    cut = v9t.build(v9t.spec({last.name: range(0, last.width, 2)}))
    found, before = (_scores(candidate, v9t, criterion) for candidate in (cut, v9t.candidate()))
    same = [group.name for group in v9t.groups if not _modules(group) & _modules(last)]
    assert len(same) > 100
    assert all(found[name] == before[name] for name in same)
    assert list(found[last.name]) == list(range(0, last.width, 2))


def test_lamp_is_the_share_among_channels_that_are_no_weaker_in_each_layer() -> None:
    # 1 of 1 + 2 + 4 + 5 + 5, and so on: the strongest share the top between them; a dead one has nothing.
    squares = torch.tensor([4.0, 1.0, 5.0, 2.0, 5.0, 0.0], dtype=torch.float64)
    shares = torch.tensor([4 / 14, 1 / 17, 5 / 10, 2 / 16, 5 / 10, 0.0], dtype=torch.float64)
    torch.testing.assert_close(layer_adaptive(squares), shares)  # of equal doubles, a few roundings apart


def test_lamp_does_not_change_where_a_whole_layer_is_scaled(parent: Parent) -> None:
    candidate = parent.candidate()
    before = scores(candidate, parent, "lamp")
    candidate.network.state_dict()["model.3.conv.weight"].mul_(64)  # exact in floating point
    assert scores(candidate, parent, "lamp") == before


def test_taylor_sums_the_terms_of_all_layers_that_a_channel_passes(parent: Parent) -> None:
    candidate = parent.candidate()
    state, gradients = dict(candidate.network.named_parameters()), _gradients(candidate)
    made, norm, shift, read = "model.3.conv.weight", "model.3.bn.weight", "model.3.bn.bias", "model.4.cv1.conv.weight"
    product = {name: (state[name] * gradients[name]).detach().double() for name in (made, norm, shift, read)}
    expected = product[made].sum((1, 2, 3)).abs() + (product[norm] + product[shift]).abs()
    expected += product[read].sum((0, 2, 3)).abs()
    found = scores(candidate, parent, "taylor", gradients=gradients)["model.3"]
    # Products of float32, here rounded before they are summed.
    torch.testing.assert_close(torch.tensor(list(found.values()), dtype=torch.float64), expected, rtol=1e-4, atol=1e-6)


def test_taylor_needs_gradients_of_the_same_network(parent: Parent) -> None:
    candidate = parent.build(random_spec(parent, 0.6, seed=1))
    with pytest.raises(SpaceError, match="none are given"):
        scores(candidate, parent, "taylor")
    with pytest.raises(SpaceError, match=r"no gradient of 'model\.0\.conv\.weight'"):
        scores(candidate, parent, "taylor", gradients={})
    with pytest.raises(SpaceError, match=r"is \(16, 3, 3, 3\), the tensor \("):
        scores(candidate, parent, "taylor", gradients=_gradients(parent.candidate()))


def test_scales_are_summed_and_averaged_over_the_batch_norms_that_carry_a_channel(v9t: Parent) -> None:
    name = "model.4.cv2.0.m.0.cv1.conv1"  # RepConv: both its convolutions have a batch norm of their own
    scales = [v9t.network.get_parameter(f"{name[:-1]}{i}.bn.weight").abs().double().tolist() for i in (1, 2)]
    summed = scores(v9t.candidate(), v9t, "batchnorm", after_sparsity=True)[name]
    mean = mean_scales(v9t.candidate(), v9t, after_sparsity=True)[name]
    assert list(summed.values()) == pytest.approx([a + b for a, b in zip(*scales, strict=True)])
    assert list(mean.values()) == pytest.approx([(a + b) / 2 for a, b in zip(*scales, strict=True)])


def test_scales_without_sparsity_training_are_refused(parent: Parent) -> None:
    with pytest.raises(SpaceError, match="after_sparsity"):
        order(parent.candidate(), parent, "batchnorm")
    with pytest.raises(SpaceError, match="after_sparsity"):
        mean_scales(parent.candidate(), parent, after_sparsity=False)


def test_no_threshold_cuts_a_group_without_batch_norm(parent: Parent) -> None:
    bare = replace(parent, network=copy.deepcopy(parent.network))
    bare.network.get_submodule("model.3").bn = nn.Identity()
    found = mean_scales(bare.candidate(), bare, after_sparsity=True)
    assert set(found["model.3"].values()) == {math.inf}
    assert max(found["model.5"].values()) < math.inf
    assert order(bare.candidate(), bare, "batchnorm", after_sparsity=True)["model.3"] == tuple(range(64))


def test_random_scores_depend_on_the_seed_alone(parent: Parent) -> None:
    whole = scores(parent.candidate(), parent, "random", seed=4)
    cut = scores(parent.build(random_spec(parent, 0.6, seed=1)), parent, "random", seed=4)
    assert all(whole[name][channel] == value for name, of in cut.items() for channel, value in of.items())
    assert scores(parent.candidate(), parent, "random", seed=5) != whole


@pytest.mark.parametrize("criterion", CRITERIA)
def test_dropped_bottlenecks_do_not_count(parent: Parent, criterion: Criterion) -> None:
    shorter = parent.build(parent.spec({"model.3": 40}, dropped=["model.6.m.0"]))
    found, before = (_scores(candidate, parent, criterion) for candidate in (shorter, parent.candidate()))
    if criterion != "random":
        assert set(found["model.6.m.0.cv1"].values()) == {0.0}
    assert found["model.6.m.1.cv1"] == before["model.6.m.1.cv1"]  # although it is number 0 now


def test_a_bottleneck_that_adds_more_scores_more_than_others_in_its_block(parent: Parent) -> None:
    candidate = parent.candidate()
    state = candidate.network.state_dict()
    state["model.6.m.1.cv2.conv.weight"].copy_(state["model.6.m.0.cv2.conv.weight"])
    state["model.6.m.1.cv2.bn.running_var"].copy_(state["model.6.m.0.cv2.bn.running_var"])
    state["model.6.m.1.cv2.bn.weight"].copy_(state["model.6.m.0.cv2.bn.weight"] * 3)
    found = repeat_scores(candidate, parent)
    assert tuple(found) == tuple(repeat.name for repeat in parent.repeats)
    # 1 : 3, with the mean at 1; float32 products of the same numbers.
    assert (found["model.6.m.0"], found["model.6.m.1"]) == pytest.approx((0.5, 1.5))
    assert found["model.2.m.0"] == 1.0  # alone in its block


def test_the_folded_norm_is_that_of_ultralytics_own_fused_convolution(parent: Parent) -> None:
    candidate = parent.build(random_spec(parent, 0.6, seed=1))
    found, network = repeat_scores(candidate, parent), candidate.network
    fused = []
    for name in ("model.6.m.0.cv2", "model.6.m.1.cv2"):
        pair = network.get_submodule(f"{name}.conv"), network.get_submodule(f"{name}.bn")
        fused.append(fuse_conv_and_bn(*pair).weight.double().norm().item())
    # Theirs is folded in float32.
    assert found["model.6.m.0"] / found["model.6.m.1"] == pytest.approx(fused[0] / fused[1], rel=1e-5)


def test_a_dropped_bottleneck_has_no_score(parent: Parent) -> None:
    shorter = parent.build(parent.spec({}, dropped=["model.6.m.0"]))
    found = repeat_scores(shorter, parent)
    assert "model.6.m.0" not in found
    assert found["model.6.m.1"] == 1.0


def test_a_candidate_of_another_parent_is_refused(parent: Parent) -> None:
    candidate = parent.candidate()
    foreign = replace(candidate, spec=replace(copy.deepcopy(candidate.spec), parent="0" * 32))
    with pytest.raises(SpaceError, match="not of this one"):
        order(foreign, parent)


def test_an_unknown_criterion_is_named(parent: Parent) -> None:
    with pytest.raises(SpaceError, match="no criterion 'l3'"):
        order(parent.candidate(), parent, "l3")  # type: ignore[arg-type]


def _scores(candidate: Candidate, parent: Parent, criterion: Criterion) -> Mapping[str, Mapping[int, float]]:
    gradients = _gradients(candidate) if criterion == "taylor" else None
    return scores(candidate, parent, criterion, gradients=gradients, after_sparsity=True)


def _gradients(candidate: Candidate) -> dict[str, Tensor]:
    """Made-up gradients: equal for equal weights, and of both signs."""
    return {name: torch.sin(100 * parameter.detach()) for name, parameter in candidate.network.named_parameters()}


def _modules(group: ChannelGroup) -> set[str]:
    return {member.module for member in group.members}
