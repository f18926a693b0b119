"""The parent and the donors that the table of variants is made from: trained once, then the same for everybody."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import spaces.offline  # noqa: F401  (before ultralytics)
from objectives.cost import cost, count_parameters
from objectives.data.dataset import Dataset, open_dataset
from objectives.recipe import Recipe
from objectives.training.batchnorm import reestimate
from objectives.training.gradients import gradients
from objectives.training.training import train
from spaces.allocation.allocation import Cutter
from spaces.allocation.global_ranking import GlobalRanking
from spaces.allocation.uniform import thin, uniform
from spaces.base import PARENT, Candidate, Origin, ParamValue
from spaces.networks.checkpoint import content_hash, load, save
from spaces.networks.cost_formula import CostFormula
from spaces.networks.graft import Donor
from spaces.networks.parent import Parent
from spaces.ranking.importance import scores
from spaces.search_spaces.grafts import GraftSpace

# isort: split
from ultralytics.nn.tasks import yaml_model_load

PX = 96
SCENES = {"train": 224, "val": 200, "test": 8}
BATCH = 16
SETTLING_BATCHES = 8
PARENT_EPOCHS, DONOR_EPOCHS, EPOCHS = 120, 16, 6
LOW, MULTIPLE = 0.25, 4


@dataclass(frozen=True)
class Made:
    """Data, parent and donors in one folder."""

    out: Path
    data: Dataset
    parent: Parent
    donors: Mapping[str, Candidate]

    @staticmethod
    def prepared(out: Path, shipped: Path) -> Made:
        """Train what is missing; networks that were shipped with the table are taken instead.

        Args:
            shipped: Folder of networks, or nothing.
        """
        data = open_dataset("digits", out / "data", scenes=SCENES)
        networks = out / "networks"
        if shipped.exists() and not networks.exists():
            shutil.copytree(shipped, networks)
        structure = yaml_model_load("yolov8n.yaml") | {"scales": {"n": [0.33, 0.125, 1024]}, "scale": "n"}
        start = Parent.load(structure, classes=data.classes, imgsz=PX, seed=0)
        maker = _Maker(out, networks, data)
        whole = maker.kept("parent", lambda: maker.trained(start.candidate(), PARENT_EPOCHS, warmup_epochs=3.0))
        parent = start.with_weights(whole)
        return Made(out, data, parent, maker.donors(parent))

    @cached_property
    def space(self) -> GraftSpace:
        """Whose backbone, whose head, and a ratio for every channel group; the parent is a donor too."""
        donors = {"parent": Donor(PARENT, self.parent.as_candidate())}
        donors |= {name: Donor(content_hash(candidate), candidate) for name, candidate in self.donors.items()}
        return GraftSpace(self.parent, donors, low=LOW, high=1.0, step=None, multiple=MULTIPLE, ratios="group")

    @cached_property
    def parameters(self) -> int:
        """Of the parent."""
        return count_parameters(self.parent.as_candidate())

    def built(self, params: Mapping[str, ParamValue]) -> tuple[Candidate, dict[str, Any]]:
        """The variant, untrained, and what it costs."""
        spec, origin = self.space.decode(params)
        candidate = self.space.build(spec, origin)
        figures = {each.name: each.value for each in cost(candidate, self.parameters)}
        return candidate, {"widths": [len(kept) for kept in spec.kept], "cost": figures}

    def settled(self, candidate: Candidate) -> Candidate:
        """The candidate with BatchNorm re-estimated."""
        return reestimate(candidate, self.data, recipe_of(self.data, EPOCHS), batches=SETTLING_BATCHES)


@dataclass(frozen=True)
class _Maker:
    out: Path
    networks: Path
    data: Dataset

    def kept(self, name: str, make: Callable[[], Candidate]) -> Candidate:
        """A network made once and found again, in half precision as it is shipped."""
        folder = self.networks / name
        if not folder.exists():
            save(make(), folder, half=True)
        return load(folder)

    def trained(self, candidate: Candidate, epochs: int, **changes: Any) -> Candidate:
        recipe = recipe_of(self.data, epochs, val_every=epochs, **changes)
        return train(candidate, recipe, self.data, seed=0, scratch=self.out / "scratch").candidate

    def donors(self, parent: Parent) -> dict[str, Candidate]:
        """As by hand: uniformly thinner, thinner once more, and half of the FLOPs by a global ranking."""
        first = self.kept("one-shot", lambda: self._tuned(parent.build(uniform(parent, 0.75))))

        def second() -> Candidate:
            name = content_hash(first)
            origin = Origin((name,) * len(parent.layer_sections))
            return self._tuned(parent.build(thin(first, parent, 0.75), origin, {name: first}))

        def ranked() -> Candidate:
            whole, formula = parent.as_candidate(), CostFormula.of(parent)
            slopes = gradients(whole, self.data, imgsz=PX, batches=8, batch=BATCH, device="cpu")
            order = scores(whole, parent, "taylor", gradients=slopes)
            cutter = Cutter(parent, whole, order, GlobalRanking(relative=False))
            return self._tuned(parent.build(cutter.at_share(0.4, lambda spec: float(formula.costs((spec,)).flops[0]))))

        return {"one-shot": first, "round-2": self.kept("round-2", second), "taylor": self.kept("taylor", ranked)}

    def _tuned(self, candidate: Candidate) -> Candidate:
        settled = reestimate(candidate, self.data, recipe_of(self.data, EPOCHS), batches=SETTLING_BATCHES)
        return self.trained(settled, DONOR_EPOCHS)


def recipe_of(data: Dataset, epochs: int, **changes: Any) -> Recipe:
    """SGD from 0.01, no warm-up."""
    fixed: dict[str, Any] = {**data.defaults, "epochs": epochs, "batch": BATCH, "imgsz": PX, "optimizer": "SGD"}
    return Recipe.from_plain({**fixed, "lr0": 0.01, "warmup_epochs": 0.0, **changes})
