"""The plan of one data set and seed: its parent, and the budget of training that every arm gets. No torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from search.study.definition import StudyDefinition
from search.study.names import data_name
from spaces.durable import write_text

DIGITS = "digits"
ROUNDING_PX = 32
"""Image sizes are multiples of this number of pixels."""
SMALLER = 0.6
"""Image size of the stock network, as a share of that of all others."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The plan of one data set and seed.

    Attributes:
        data: `digits`, or the YAML of a data set.
        model: Weights that the parent begins with, or its structure.
        imgsz: Image size in px; None for that of the data.
        parent_epochs: Epochs of the parent's training.
        budget: Epochs of training after the parent that each arm gets.
        hand_scale: Share of the epochs of the rounds by hand that is trained.
        search_scale: The same for the donors of the searches.
    """

    data: str
    seed: int
    model: str
    imgsz: int | None
    parent_epochs: int
    budget: int
    hand_scale: float
    search_scale: float = 0.01

    @property
    def name(self) -> str:
        """Name of the data set."""
        return data_name(self.data)

    @property
    def smaller_px(self) -> int:
        """Image size of the stock network."""
        whole = self.imgsz or 96  # that of digits
        return max(ROUNDING_PX, round(SMALLER * whole / ROUNDING_PX) * ROUNDING_PX)

    def folder(self, out: Path) -> Path:
        """Return the run folder of this data set and seed."""
        return out / self.name / str(self.seed)


USUAL_PLANS: Mapping[bool, Mapping[str, Any]] = {
    True: {"parent_epochs": 40, "budget": 90, "hand_scale": 0.01},
    False: {"parent_epochs": 72, "budget": 120, "hand_scale": 0.015},
}
"""Values of a plan for digits (True) and for other data. An arm then takes about ten minutes on one core."""


def usual_plan(data: str, seed: int, given: Mapping[str, Any]) -> Plan:
    """Return the plan of a data set, with given values over the usual ones; None is a value that is not given."""
    usual = {"model": "yolov5n.yaml" if data == DIGITS else "yolov8n.yaml", "imgsz": None}
    chosen = {name: value for name, value in given.items() if value is not None}
    return Plan(data=data, seed=seed, **{**usual, **USUAL_PLANS[data == DIGITS], **chosen})


def stored_plan(folder: Path, plan: Plan, given: Mapping[str, Any]) -> Plan:
    """Return the plan that a run folder was begun with; store this one if it is new.

    Raises:
        ValueError: If a given value differs from the stored one.
    """
    known = read_plan(folder)
    if known is None:
        write_text(folder / "plan.json", json.dumps(asdict(plan), indent=1) + "\n")
        return plan
    stored = asdict(known)
    for name, value in given.items():
        if value is not None and value != stored[name]:
            raise ValueError(f"{name} is {value}, but {folder} was begun with {stored[name]}; leave it out")
    return known


def read_plan(folder: Path) -> Plan | None:
    """Return the plan that a run folder was begun with; None if there is none."""
    file = folder / "plan.json"
    return Plan(**json.loads(file.read_text(encoding="utf-8"))) if file.exists() else None


def donor_epochs(study: StudyDefinition) -> int:
    """Return the epochs that a study's donors are trained, with sparsity and without."""
    own = sum(int(study.recipe_of(row)["epochs"]) for row in study.donors)
    sparse = (study.sparse_recipe_of(row)["epochs"] for row in study.donors if row.cut == "threshold")
    return own + sum(int(each) for each in sparse)


def trials_within(left: int, trial_epochs: int, polished_share: float) -> int:
    """Return the number of trials that fit into what the donors leave of a budget; at least one.

    Args:
        left: Epochs that the donors leave.
        polished_share: Share of them that is kept for polishing.
    """
    return max(1, int(left * (1 - polished_share)) // trial_epochs)
