"""Pruning by hand: rows of the YAML, keys of networks, and cuts at a threshold of the scales."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pytest
import torch
from torch import nn

from objectives.recipe import Recipe
from search.prepare.cutting import ChannelRule
from search.prepare.pruning_round import FlopsPruning, RatioPruning, ThresholdCut, ThresholdPruning
from search.prepare.row_training import RowTrainer
from search.store.entries import TrainedEntry
from search.study.definition import StudyDefinition, checked
from search.study.faults import DefinitionError
from spaces.base import Candidate, SpaceError
from spaces.networks.parent import Parent
from tests.objectives.networks import half_width_parent

BASE: dict[str, Any] = {
    "name": "by-hand",
    "data": {"source": "digits"},
    "space": {"type": "channels"},
    "recipe": {"epochs": 100, "batch": 8},
}
ROUND = {
    "name": "one-shot", "from": "parent", "cut": "threshold", "threshold": 0.01, "ratio": 0.7,
    "sparse": {"epochs": 600, "sparsity": 0.001},
}  # fmt: skip


def definition(*donors: Mapping[str, Any], **more: Any) -> StudyDefinition:
    return checked({**BASE, "donors": list(donors), **more})


def test_a_round_has_two_recipes_and_may_give_two_rows() -> None:
    study = definition({**ROUND, "recipe": {"epochs": 800}, "also": "best_f1"})
    (row,) = study.donors
    assert study.recipe_of(row)["epochs"] == 800
    assert study.sparse_recipe_of(row) == {"epochs": 600, "batch": 8, "sparsity": 0.001}
    assert row.names == ("one-shot", "one-shot-f1")
    again = {"name": "round-2", "from": "one-shot-f1", "ratio": 0.5}
    assert definition({**ROUND, "also": "best_f1"}, again).donors[1].source == "one-shot-f1"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"threshold": None}, "threshold is missing"),
        ({"ratio": None, "flops": 0.5}, "ratio is missing"),
        ({"sparse": {"epochs": 3}}, "sparse.sparsity is missing"),
        ({"criterion": "l1"}, "goes by the scales of BatchNorm"),
        ({"cut": "uniform"}, "belongs to `cut: threshold`"),
        ({"from": "scratch"}, "no trained scales"),
        ({"graft": {"backbone": "parent", "head": "parent"}}, "joined from two or cut from one"),
        ({"from": "nobody"}, "must be one of parent"),
    ],
)
def test_a_row_with_contradicting_fields_is_refused(changes: dict[str, Any], words: str) -> None:
    row = {key: value for key, value in {**ROUND, **changes}.items() if value is not None}
    with pytest.raises(DefinitionError, match=words):
        definition(row) if changes.get("from") != "scratch" else definition(controls=[row])


def test_a_graft_of_an_unknown_row_is_refused() -> None:
    graft = {"name": "nas_final", "graft": {"backbone": "one-shot", "head": "round-9"}}
    with pytest.raises(DefinitionError, match=r"controls.0.graft.head is 'round-9'; it must be one of parent"):
        definition(ROUND, controls=[graft])


@pytest.fixture(scope="module")
def parent() -> Parent:
    return half_width_parent(("a", "b"), imgsz=64)


def scaled_network(parent: Parent, share_small: float) -> Candidate:
    """Return the parent with a share of each BatchNorm's scales at 0.001, and the others around 1."""
    candidate = parent.candidate()
    for module in candidate.network.modules():
        if isinstance(module, nn.BatchNorm2d):
            small = torch.arange(len(module.weight)) % 2 < 2 * share_small  # spread over the halves of a split layer
            with torch.no_grad():
                module.weight.copy_(torch.where(small, 0.001, torch.linspace(0.5, 1.5, len(module.weight))))
    return candidate


def pruning(**changes: Any) -> ThresholdPruning:
    fields: dict[str, Any] = {
        "name": "one-shot", "source": "parent", "recipe": Recipe(), "is_donor": True,
        "threshold": 0.01, "ratio": 0.5, "multiple": 4, "sparse": Recipe(sparsity=1.0),
    }  # fmt: skip
    return ThresholdPruning(**{**fields, **changes})


def cut(parent: Parent, candidate: Candidate) -> ThresholdCut:
    return pruning().select(parent, candidate)


def test_facts_that_go_into_a_key_stay_as_they_were_stored() -> None:
    shared: dict[str, Any] = {"name": "a", "source": "parent", "recipe": Recipe(), "is_donor": False}
    plain, taylor = ChannelRule("uniform", "l2", 8), ChannelRule("global", "taylor", 8)
    ratio = RatioPruning(ratio=0.7, rule=plain, **shared)
    assert ratio.facts() == {"ratio": 0.7, "multiple": 8}
    flops = FlopsPruning(flops=0.6, rule=taylor, **shared)
    assert flops.facts() == {"ratio": None, "flops": 0.6, "multiple": 8, "cut": "global", "criterion": "taylor"}
    sparse = Recipe(sparsity=1.0)
    assert pruning(sparse=sparse).facts() == {
        "ratio": 0.5, "multiple": 4, "cut": "threshold", "criterion": "l2", "threshold": 0.01,
        "sparse": sparse.as_plain(),
    }  # fmt: skip


def test_fresh_weights_are_not_cut_at_a_threshold() -> None:
    entry = cast(TrainedEntry, None)  # not looked at
    words = "'one-shot' is cut at a threshold, and 'from' is scratch, which has no trained scales; cut from parent"
    with pytest.raises(SpaceError, match=words):
        pruning(source="scratch").prune(cast(RowTrainer, None), None, entry)


def test_scales_below_the_threshold_are_cut(parent: Parent) -> None:
    found = cut(parent, scaled_network(parent, 0.5))
    assert not found.to_ratio and found.emptied == ()
    assert found.share_below == pytest.approx(0.5, abs=0.1)
    assert 0.4 < found.spec.channel_ratio < 0.75  # groups of 4 and 8 channels are rounded up
    assert found.params()["cut.share_below"] == pytest.approx(found.share_below, abs=1e-4)


def test_with_hardly_a_small_scale_the_network_is_cut_to_its_ratio_and_the_record_says_so(parent: Parent) -> None:
    found = cut(parent, scaled_network(parent, 0.0))
    assert found.to_ratio and found.share_below == 0
    assert found.params()["cut.to_ratio"] is True
    assert found.spec.channel_ratio < 0.8


def test_a_layer_that_would_be_emptied_keeps_one_slice_and_is_named(parent: Parent) -> None:
    candidate = scaled_network(parent, 0.5)
    group = next(group for group in parent.groups if group.name.endswith("m.0.cv1") and group.width >= 8)
    norm = candidate.network.get_submodule(f"{group.name}.bn")
    nn.init.constant_(cast(nn.BatchNorm2d, norm).weight, 0.001)
    found = cut(parent, candidate)
    assert group.name in found.emptied
    kept = found.spec.kept[found.spec.groups.index(group.name)]
    assert len(kept) == 4
    assert group.name in str(found.params()["cut.emptied"])
