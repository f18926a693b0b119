"""The recipe that the benchmarks train with."""

from __future__ import annotations

from typing import Any

from objectives.data.dataset import Dataset
from objectives.recipe import Recipe


def sgd_recipe(data: Dataset, *, epochs: int, batch: int, imgsz: int, **changes: Any) -> Recipe:
    """Return a recipe with SGD from 0.01 and no warm-up."""
    fixed: dict[str, Any] = {**data.defaults, "epochs": epochs, "batch": batch, "imgsz": imgsz, "optimizer": "SGD"}
    return Recipe.from_plain({**fixed, "lr0": 0.01, "warmup_epochs": 0.0, **changes})
