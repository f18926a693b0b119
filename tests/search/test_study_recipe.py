"""The recipe of a study: ranges become parameters, and every value has a source."""

from __future__ import annotations

from objectives.digits import DEFAULTS
from objectives.recipe import AUGMENTATION, Recipe
from search.study_recipe import FIELDS, Source, read_recipe, resolve_recipe
from spaces.base import Categorical, Float, Integer


def test_a_field_with_a_range_becomes_a_parameter_of_its_kind() -> None:
    recipe = read_recipe(
        {
            "lr0": {"low": 1e-4, "high": 1e-2, "log": True},
            "epochs": {"low": 2, "high": 8, "step": 2},
            "mosaic": {"low": 0, "high": 1, "step": 0.25},
            "cos_lr": {"choices": [True, False]},
            "batch": 8,
            "momentum": None,
        }
    )
    assert recipe.fixed == {"batch": 8}
    assert recipe.searched == {
        "recipe.lr0": Float(1e-4, 1e-2, log=True),
        "recipe.epochs": Integer(2, 8, 2),
        "recipe.mosaic": Float(0.0, 1.0, 0.25),
        "recipe.cos_lr": Categorical((True, False)),
    }
    assert read_recipe(recipe.as_plain()) == recipe


def test_every_field_of_a_recipe_but_the_image_size_can_be_set_and_is_settled() -> None:
    assert set(FIELDS) == set(Recipe().as_plain()) - {"imgsz"}
    assert set(resolve_recipe({}, {}, {})) == set(FIELDS)


def test_a_value_comes_from_the_study_else_the_data_else_the_checkpoint_else_the_default() -> None:
    train_args = {"fliplr": 0.1, "mosaic": 0.2, "degrees": 3.0, "lr0": 0.9, "epochs": 500, "scale": (0.5, 1.5)}
    resolved = resolve_recipe({"fliplr": 0.3}, {"fliplr": 0.0, "mosaic": 0.0, "imgsz": 96}, train_args)
    found = {name: (each.value, each.source) for name, each in resolved.items()}
    assert found["fliplr"] == (0.3, Source.STUDY)
    assert found["mosaic"] == (0.0, Source.DATA)
    assert found["degrees"] == (3.0, Source.CHECKPOINT)
    assert found["scale"] == (Recipe().scale, Source.DEFAULT), "a pair is allowed there and not here"
    assert found["lr0"] == (Recipe().lr0, Source.DEFAULT), "its learning rate belongs to another training"
    assert found["epochs"] == (Recipe().epochs, Source.DEFAULT)


def test_the_digits_are_neither_mirrored_nor_put_into_mosaics() -> None:
    resolved = resolve_recipe({}, DEFAULTS, dict.fromkeys(AUGMENTATION, 1))
    assert (resolved["fliplr"].value, resolved["flipud"].value, resolved["mosaic"].value) == (0, 0, 0)
