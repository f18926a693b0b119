"""The recipe of a study: ranges become parameters, and every value has a source."""

from __future__ import annotations

from objectives.recipe import AUGMENTATION, Recipe
from objectives.tasks.digit_sets import DEFAULTS
from search.study.recipe import FIELDS, Resolved, Source, image_size, read_recipe, resolve_recipe
from spaces.base import Categorical, Float, Integer

IMGSZ = Resolved(160, Source.CHECKPOINT)


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


def test_every_field_of_a_recipe_can_be_set_and_is_settled() -> None:
    assert set(FIELDS) == set(Recipe().as_plain()) == set(resolve_recipe({}, {}, {}, IMGSZ))


def test_image_sizes_are_searched_in_steps_of_32() -> None:
    recipe = read_recipe({"imgsz": {"low": 96, "high": 192}})
    assert recipe.searched == {"recipe.imgsz": Integer(96, 192, 32)}
    assert read_recipe(recipe.as_plain()) == recipe == read_recipe({"imgsz": {"low": 96, "high": 192, "step": 32}})
    assert read_recipe({"imgsz": {"choices": [96, 160]}}).searched == {"recipe.imgsz": Categorical((96, 160))}


def test_a_recipe_without_image_size_has_the_studys() -> None:
    assert resolve_recipe({}, {"imgsz": 96}, {"imgsz": 640}, IMGSZ)["imgsz"] == IMGSZ
    assert resolve_recipe({"imgsz": 64}, {"imgsz": 96}, {}, IMGSZ)["imgsz"] == Resolved(64, Source.STUDY)


def test_the_studys_image_size_is_its_own_else_the_datas_else_the_checkpoints_else_640() -> None:
    assert image_size(64, {"imgsz": 96}, 320) == Resolved(64, Source.STUDY)
    assert image_size(None, {"imgsz": 96}, 320) == Resolved(96, Source.DATA)
    assert image_size(None, {}, 320) == Resolved(320, Source.CHECKPOINT)
    assert image_size(None, {}, None) == Resolved(640, Source.DEFAULT)


def test_the_longest_trial_has_the_most_epochs_and_the_largest_images_that_are_searched() -> None:
    searched = {"epochs": {"low": 2, "high": 8}, "imgsz": {"choices": [96, 160, 128]}, "lr0": {"low": 0.1, "high": 0.2}}
    assert read_recipe({"batch": 8, **searched}).longest() == {"batch": 8, "epochs": 8, "imgsz": 160}
    assert read_recipe({"epochs": 3}).longest() == {"epochs": 3}


def test_a_value_comes_from_the_study_else_the_data_else_the_checkpoint_else_the_default() -> None:
    train_args = {"fliplr": 0.1, "mosaic": 0.2, "degrees": 3.0, "lr0": 0.9, "epochs": 500, "scale": (0.5, 1.5)}
    resolved = resolve_recipe({"fliplr": 0.3}, {"fliplr": 0.0, "mosaic": 0.0, "imgsz": 96}, train_args, IMGSZ)
    found = {name: (each.value, each.source) for name, each in resolved.items()}
    assert found["fliplr"] == (0.3, Source.STUDY)
    assert found["mosaic"] == (0.0, Source.DATA)
    assert found["degrees"] == (3.0, Source.CHECKPOINT)
    assert found["scale"] == (Recipe().scale, Source.DEFAULT), "a pair is allowed there and not here"
    assert found["lr0"] == (Recipe().lr0, Source.DEFAULT), "its learning rate belongs to another training"
    assert found["epochs"] == (Recipe().epochs, Source.DEFAULT)


def test_the_digits_are_neither_mirrored_nor_put_into_mosaics() -> None:
    resolved = resolve_recipe({}, DEFAULTS, dict.fromkeys(AUGMENTATION, 1), IMGSZ)
    assert (resolved["fliplr"].value, resolved["flipud"].value, resolved["mosaic"].value) == (0, 0, 0)
