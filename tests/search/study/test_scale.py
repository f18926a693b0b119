"""Recipes of hundreds of epochs, fitted into a budget."""

from __future__ import annotations

from typing import Any

import pytest

from search.study.definition import load_study
from search.study.faults import DefinitionError
from search.study.scale import in_budget, scaled

BY_HAND: dict[str, Any] = {
    "scale": 0.01,
    "parent": {"model": "yolov8n.yaml", "recipe": {"epochs": 800}},
    "donors": [{"name": "one", "sparse": {"epochs": 600, "sparsity": 0.01}, "recipe": {"epochs": 532}}],
    "controls": [
        {"name": "as-a-trial"},
        {"name": "stock", "model": "yolov8s.yaml", "recipe": {"epochs": 400}},
    ],
    "recipe": {"epochs": 3, "warmup_epochs": 0},
}


def test_a_budget_keeps_how_far_the_scales_are_shrunk() -> None:
    whole = {"epochs": 600, "sparsity": 0.001, "warmup_epochs": 3.0, "lr0": 0.01}
    short = scaled(whole, 0.01)
    assert (short["epochs"], short["lr0"]) == (6, 0.01)
    assert short["epochs"] * short["sparsity"] == pytest.approx(600 * 0.001)
    assert short["warmup_epochs"] == pytest.approx(0.03)
    assert scaled(whole, 1.0) == whole
    assert scaled({"epochs": 10}, 0.001)["epochs"] == 1, "nothing is left untrained"


def test_what_sets_its_own_epochs_is_scaled_and_what_is_trained_as_trials_are_is_not() -> None:
    short, rest = in_budget(BY_HAND)
    assert rest == [] and "scale" not in short
    assert short["parent"]["recipe"]["epochs"] == 8
    (donor,) = short["donors"]
    assert donor["recipe"] == {"epochs": 5, "warmup_epochs": 0, "close_mosaic": 0}, "warm-up is that of `recipe`"
    assert donor["sparse"]["epochs"] == 6 and donor["sparse"]["sparsity"] == pytest.approx(1.0)
    as_a_trial, stock = short["controls"]
    assert as_a_trial == {"name": "as-a-trial"} and short["recipe"] == BY_HAND["recipe"]
    assert stock["recipe"]["epochs"] == 4


def test_the_command_lines_scale_wins_and_what_else_it_sets_is_as_it_says() -> None:
    short, rest = in_budget(BY_HAND, ["parent.recipe.epochs=100", "scale=0.1"])
    assert short["parent"]["recipe"]["epochs"] == 80 and rest == ["parent.recipe.epochs=100"]
    study = load_study("imp", ["scale=0.1", "parent.recipe.epochs=100"], epochs=7)
    assert study.parent.recipe.fixed["epochs"] == 100
    assert study.sparse_recipe_of(study.donors[0])["epochs"] == 60
    assert "scale" not in study.as_plain(), "what is stored is what is trained"


def test_without_a_scale_nothing_changes_and_rubbish_is_left_to_be_refused_by_its_own_name() -> None:
    plain = {name: value for name, value in BY_HAND.items() if name != "scale"}
    assert in_budget(plain) == (plain, [])
    rubbish = {"scale": 0.5, "parent": 3, "donors": "one", "controls": [7, {"recipe": {"epochs": "many"}}]}
    assert in_budget(rubbish)[0] == {name: value for name, value in rubbish.items() if name != "scale"}
    for epochs in (0, -3, float("inf"), float("nan"), True):
        wrong = {"scale": 0.5, "controls": [{"recipe": {"epochs": epochs, "close_mosaic": float("inf")}}]}
        assert in_budget(wrong)[0] == {"controls": wrong["controls"]}, "refused later, by its own name"
    ranged = {"scale": 0.5, "controls": [{"recipe": {"epochs": 10, "warmup_epochs": {"low": 0, "high": 1}}}]}
    (row,) = in_budget(ranged)[0]["controls"]
    assert row["recipe"]["warmup_epochs"] == {"low": 0, "high": 1} and row["recipe"]["epochs"] == 5


@pytest.mark.parametrize("scale", ["0", "-1", "2", "true", "much", "null"])
def test_a_scale_that_is_no_share_is_refused(scale: str) -> None:
    with pytest.raises(DefinitionError, match=r"scale is .*; it must be above 0 and at most 1"):
        load_study("imp", [f"scale={scale}"])
