"""Orders of importance."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch

from spaces.base import SpaceError
from spaces.importance import Criterion, order, scores
from spaces.parent import Parent
from tests.spaces.silencing import random_spec


def test_an_order_is_a_permutation_of_the_kept_channels(parent: Parent) -> None:
    candidate = parent.build(random_spec(parent, 0.6, seed=1))
    ranked = order(candidate, parent)
    assert tuple(ranked) == candidate.spec.groups
    for name, kept in zip(candidate.spec.groups, candidate.spec.kept, strict=True):
        assert sorted(ranked[name]) == list(kept)


@pytest.mark.parametrize("criterion", ["l2", "l1"])
def test_a_channel_of_larger_weights_comes_first_and_a_dead_one_last(parent: Parent, criterion: Criterion) -> None:
    candidate = parent.candidate()
    state = candidate.network.state_dict()
    state["model.3.conv.weight"][11] *= 10
    state["model.3.conv.weight"][5] = 0  # what makes it
    state["model.4.cv1.conv.weight"][:, 5] = 0  # what reads it
    ranked = order(candidate, parent, criterion)["model.3"]
    assert (ranked[0], ranked[-1]) == (11, 5)


def test_importance_is_the_sum_over_all_that_make_and_read_a_channel(parent: Parent) -> None:
    state = parent.network.state_dict()
    made = state["model.9.cv1.conv.weight"].double().square().flatten(1).sum(1)
    read = state["model.9.cv2.conv.weight"].double().square().flatten(2).sum((0, 2)).reshape(4, 128).sum(0)
    found = scores(parent.candidate(), parent)["model.9.cv1"]
    # Sums of some 1e5 float64 terms in another order.
    assert torch.allclose(torch.tensor(list(found.values()), dtype=torch.float64), made + read, rtol=1e-9, atol=0)


def test_batch_norms_do_not_count(parent: Parent) -> None:
    candidate = parent.candidate()
    before = order(candidate, parent)
    candidate.network.state_dict()["model.3.bn.weight"].copy_(torch.rand(64) * 100)
    assert order(candidate, parent) == before


def test_a_cut_network_is_ranked_by_its_own_weights_under_the_parents_numbers(parent: Parent) -> None:
    kept = tuple(range(1, 64, 2))
    candidate = parent.build(parent.spec({"model.3": kept}))
    candidate.network.state_dict()["model.3.conv.weight"][7] *= 10  # the eighth kept channel
    assert order(candidate, parent)["model.3"][0] == 15


def test_a_candidate_of_another_parent_is_refused(parent: Parent) -> None:
    candidate = parent.candidate()
    foreign = replace(candidate, spec=replace(copy.deepcopy(candidate.spec), parent="0" * 32))
    with pytest.raises(SpaceError, match="not of this one"):
        order(foreign, parent)


def test_an_unknown_criterion_is_named(parent: Parent) -> None:
    with pytest.raises(SpaceError, match="no criterion 'l3'"):
        order(parent.candidate(), parent, "l3")  # type: ignore[arg-type]
