"""Recipes: names and ranges are checked, equal recipes have equal keys."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from objectives.recipe import AUGMENTATION, FIELDS, Recipe, RecipeError


def test_defaults_are_those_of_ultralytics_but_for_the_documented_ones() -> None:
    import spaces.offline  # noqa: F401  (before ultralytics)

    # isort: split
    from ultralytics.utils import DEFAULT_CFG_DICT

    departures = {"optimizer", "warmup_bias_lr", "bn_momentum", "val_every", "sparsity", "distill", "keep"}
    for name, value in Recipe().as_plain().items():
        if name not in departures:
            assert DEFAULT_CFG_DICT[name] == value, name


def test_an_unknown_field_is_refused_and_the_nearest_named() -> None:
    with pytest.raises(RecipeError, match=r"no field 'epoch'; did you mean epochs\?"):
        Recipe.from_plain({"epoch": 3})


def test_a_name_like_no_other_is_answered_with_the_list_of_fields() -> None:
    with pytest.raises(RecipeError, match="there are epochs, batch, imgsz"):
        Recipe.from_plain({"zzzzzz": 3})


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("epochs", 0, "'epochs' is 0; it must be at least 1"),
        ("epochs", 2.5, "'epochs' is 2.5; it must be a whole number"),
        ("epochs", True, "'epochs' is True; it must be a number"),
        ("lr0", -0.1, r"'lr0' is -0.1; it must be in \[1e-08, 1.0\]"),
        ("lr0", float("nan"), "'lr0' is nan; it must be a number"),
        ("lr0", "0.01", "'lr0' is '0.01'; it must be a number"),
        ("cos_lr", 1, "'cos_lr' is 1; it must be true or false"),
        ("optimizer", "sdg", "'optimizer' is 'sdg'; it must be one of auto, SGD"),
        ("keep", "map", "'keep' is 'map'; it must be one of map50_95, best_f1"),
        ("imgsz", 100, "'imgsz' is 100; it must be a multiple of 32, such as 96"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_right(field: str, value: Any, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        Recipe.from_plain({field: value})


def test_numbers_take_the_type_of_their_field_so_that_equal_recipes_are_equal() -> None:
    written, sampled = Recipe(epochs=3, lr0=1), Recipe.from_plain({"epochs": 3.0, "lr0": 1.0, "optimizer": "sgd"})
    assert written == sampled
    assert written.key == sampled.key
    assert type(sampled.epochs) is int
    assert type(written.lr0) is float


def test_every_field_matters_to_the_key() -> None:
    other: dict[str, Any] = {"optimizer": "AdamW", "cos_lr": True, "keep": "best_f1", "imgsz": 96, "val_every": 2}
    other |= {"perspective": 0.001, "momentum": 0.9, "warmup_momentum": 0.9}
    keys = {Recipe().key}
    for name, value in Recipe().as_plain().items():
        changed = other.get(name, 1 if value != 1 else 0)
        keys.add(Recipe().with_values(**{name: changed}).key)
    assert len(keys) == len(FIELDS) + 1


SHARES = st.floats(0, 1, allow_subnormal=False)
"""An engine that another test loads into this process may have switched subnormal numbers off."""


@given(st.fixed_dictionaries({"epochs": st.integers(1, 999), "lr0": st.floats(1e-8, 1.0), "mosaic": SHARES}))
def test_a_recipe_survives_the_way_through_plain_values(values: dict[str, Any]) -> None:
    recipe = Recipe.from_plain(values)
    again = Recipe.from_plain(recipe.as_plain())
    assert again == recipe
    assert again.key == recipe.key


def test_a_recipe_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Recipe().epochs = 5  # type: ignore[misc]


def test_augmentation_fields_are_fields_and_hold_no_optimizer_setting() -> None:
    assert set(AUGMENTATION) < set(FIELDS)
    assert {"mosaic", "close_mosaic", "fliplr", "hsv_h"} <= set(AUGMENTATION)
    assert not {"lr0", "epochs", "imgsz", "keep"} & set(AUGMENTATION)
