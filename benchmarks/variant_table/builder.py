"""The parent and the donors of the table of variants, which are trained once; variants are built from them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import spaces.offline  # noqa: F401  (before ultralytics)
from benchmarks.finetuning.networks import NetworkFolder, cut_by_taylor, thin_further
from benchmarks.finetuning.recipe import sgd_recipe
from benchmarks.variant_table.stored_table import MIN_RATIO, NETWORKS_FOLDER
from objectives.data.dataset import Dataset, open_dataset
from objectives.metrics.cost import Cost, count_parameters
from objectives.recipe import Recipe
from objectives.training.batchnorm import reestimate
from objectives.training.training import train
from spaces.allocation.uniform import uniform
from spaces.base import PARENT, Candidate, ParamValue
from spaces.networks.checkpoint import content_hash
from spaces.networks.graft import Donor
from spaces.networks.parent import Parent
from spaces.search_spaces.grafts import GraftSpace

# isort: split
from ultralytics.nn.tasks import yaml_model_load

TRAINING_PX = 96
SCENE_COUNTS = {"train": 224, "val": 200, "test": 8}
VARIANT_BATCH = 16
BATCHNORM_BATCHES = 8
PARENT_EPOCHS, DONOR_EPOCHS, VARIANT_EPOCHS = 120, 16, 6
VARIANT_MULTIPLE = 4


def variant_recipe(data: Dataset, epochs: int, **changes: Any) -> Recipe:
    """Return the recipe of parent, donors and variants."""
    return sgd_recipe(data, epochs=epochs, batch=VARIANT_BATCH, imgsz=TRAINING_PX, **changes)


@dataclass(frozen=True)
class VariantBuilder:
    """Data, parent and donors in one folder."""

    out: Path
    data: Dataset
    parent: Parent
    donors: Mapping[str, Candidate]

    @staticmethod
    def prepare(out: Path, shipped: Path) -> VariantBuilder:
        """Train the networks that are missing, or copy them from the table that they were shipped with.

        Args:
            shipped: Folder of the table's networks; it may be missing.
        """
        data = open_dataset("digits", out / "data", scenes=SCENE_COUNTS)
        networks = out / NETWORKS_FOLDER
        if shipped.exists() and not networks.exists():
            shutil.copytree(shipped, networks)
        structure = yaml_model_load("yolov8n.yaml") | {"scales": {"n": [0.33, 0.125, 1024]}, "scale": "n"}
        start = Parent.load(structure, classes=data.classes, imgsz=TRAINING_PX, seed=0)
        trainer = _Trainer(out, NetworkFolder(networks), data)
        parent = start.with_weights(trainer.parent(start))
        return VariantBuilder(out, data, parent, trainer.donors(parent))

    @cached_property
    def space(self) -> GraftSpace:
        """The space of donor of the backbone, donor of the head, and a ratio for every group; the parent is a donor."""
        donors = {"parent": Donor(PARENT, self.parent.as_candidate())}
        donors |= {name: Donor(content_hash(candidate), candidate) for name, candidate in self.donors.items()}
        return GraftSpace(
            self.parent, donors, low=MIN_RATIO, high=1.0, step=None, multiple=VARIANT_MULTIPLE, ratios="group"
        )

    @cached_property
    def parameters(self) -> int:
        """Number of the parent's parameters."""
        return count_parameters(self.parent.as_candidate())

    def build(self, params: Mapping[str, ParamValue]) -> tuple[Candidate, dict[str, Any]]:
        """Return the variant, untrained, and its widths and cost."""
        spec, origin = self.space.decode(params)
        candidate = self.space.build(spec, origin)
        figures = {each.name: each.value for each in Cost(self.parameters).measure(candidate)}
        return candidate, {"widths": [len(kept) for kept in spec.kept], "cost": figures}

    def reestimate_batchnorm(self, candidate: Candidate) -> Candidate:
        """Re-estimate the BatchNorm statistics of a candidate."""
        return _reestimate_batchnorm(candidate, self.data)


@dataclass(frozen=True)
class _Trainer:
    out: Path
    networks: NetworkFolder
    data: Dataset

    def parent(self, start: Parent) -> Candidate:
        def make() -> Candidate:
            return self._train(start.candidate(), PARENT_EPOCHS, warmup_epochs=3.0)

        return self.networks.get_or_make("parent", make)

    def donors(self, parent: Parent) -> dict[str, Candidate]:
        """Return the donors: uniformly thinner, thinner in a second round, and 40 % of the FLOPs by Taylor."""

        def by_taylor() -> Candidate:
            cut = cut_by_taylor(parent, self.data, imgsz=TRAINING_PX, batch=VARIANT_BATCH, flops_share=0.4)
            return self._tune(cut)

        first = self.networks.get_or_make("one-shot", lambda: self._tune(parent.build(uniform(parent, 0.75))))
        second = self.networks.get_or_make("round-2", lambda: self._tune(thin_further(first, parent, 0.75)))
        return {"one-shot": first, "round-2": second, "taylor": self.networks.get_or_make("taylor", by_taylor)}

    def _tune(self, candidate: Candidate) -> Candidate:
        return self._train(_reestimate_batchnorm(candidate, self.data), DONOR_EPOCHS)

    def _train(self, candidate: Candidate, epochs: int, **changes: Any) -> Candidate:
        recipe = variant_recipe(self.data, epochs, val_every=epochs, **changes)
        return train(candidate, recipe, self.data, seed=0, scratch=self.out / "scratch").candidate


def _reestimate_batchnorm(candidate: Candidate, data: Dataset) -> Candidate:
    return reestimate(candidate, data, variant_recipe(data, VARIANT_EPOCHS), batches=BATCHNORM_BATCHES)
