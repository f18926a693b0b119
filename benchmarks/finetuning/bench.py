"""Shared by the fine-tuning benchmarks: a parent that is trained once, and rows that are trained by the same recipe.

Everything is stored in one folder: a benchmark that was killed is continued by the same command.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.finetuning.networks import NetworkFolder
from benchmarks.finetuning.recipe import sgd_recipe
from benchmarks.setup.options import add_out
from objectives.data.dataset import Dataset, open_dataset
from objectives.recipe import Recipe
from objectives.training.accuracy import evaluate, score
from objectives.training.batchnorm import reestimate
from objectives.training.training import train
from spaces.base import Candidate
from spaces.networks.parent import Parent

FINETUNING_BATCH = 8
BATCHNORM_IMAGES = 128


def finetuning_parser(description: str) -> argparse.ArgumentParser:
    """Return a parser of the options that these benchmarks share."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--data", default="digits", help="YAML of the data set, or the built-in digits")
    parser.add_argument("--weights", help=".pt or .safetensors that the parent starts from")
    parser.add_argument("--model", default="yolov8n.yaml", help="structure, if the weights do not name one")
    parser.add_argument("--imgsz", type=int, default=160, help="image size in px")
    parser.add_argument("--parent-epochs", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=10, help="epochs of fine-tuning, the same for every row")
    parser.add_argument("--seeds", type=int, default=2, help="number of fine-tunings of every row")
    parser.add_argument("--device", default="cpu")
    add_out(parser)
    return parser


@dataclass(frozen=True)
class FineTuningBench:
    """One data set, one way of training, one folder."""

    data: Dataset
    imgsz: int
    device: str
    out: Path

    @staticmethod
    def of(options: argparse.Namespace) -> FineTuningBench:
        """Open the data; use one torch thread, so that runs can be compared."""
        torch.set_num_threads(1)
        data = open_dataset(options.data, options.out / "data")
        return FineTuningBench(data, options.imgsz, options.device, options.out)

    @property
    def networks(self) -> NetworkFolder:
        """The networks that are made once."""
        return NetworkFolder(self.out / "networks")

    def recipe(self, epochs: int, **changes: Any) -> Recipe:
        """Return the recipe of this many epochs; the network is scored on val at the end only."""
        changes = {"val_every": epochs, **changes}
        return sgd_recipe(self.data, epochs=epochs, batch=FINETUNING_BATCH, imgsz=self.imgsz, **changes)

    def train(self, candidate: Candidate, recipe: Recipe, seed: int) -> Candidate:
        """Train a candidate by a recipe."""
        scratch = self.out / "scratch"
        return train(candidate, recipe, self.data, seed=seed, device=self.device, scratch=scratch).candidate

    def reestimate_batchnorm(self, candidate: Candidate) -> Candidate:
        """Re-estimate the BatchNorm statistics of a candidate."""
        batches = min(BATCHNORM_IMAGES, len(self.data.splits["train"].images)) // FINETUNING_BATCH
        return reestimate(candidate, self.data, self.recipe(1), batches=max(1, batches), device=self.device)

    def map50_95(self, candidate: Candidate) -> float:
        """Return mAP50-95 on val of the network as it is."""
        return score(candidate.network, self.data, "val", imgsz=self.imgsz, device=self.device).map50_95

    def accuracies(self, candidate: Candidate) -> dict[str, float]:
        """Return mAP50-95 of a finished network on val and every further split."""
        splits = [name for name in self.data.splits if name != "train"]
        return {split: evaluate(candidate, self.data, split, device=self.device).map50_95 for split in splits}

    def parent(self, options: argparse.Namespace) -> Parent:
        """Return the trained parent."""
        start = Parent.load(options.model, classes=self.data.classes, imgsz=self.imgsz, weights=options.weights)
        recipe = self.recipe(options.parent_epochs, warmup_epochs=1.0)
        trained = self.networks.get_or_make("parent", lambda: self.train(start.candidate(), recipe, seed=0))
        return start.with_weights(trained)


def mean_and_half_range(values: Sequence[float]) -> str:
    """Return the mean, with half the range if there are several values: `0.501 ± 0.004`."""
    mean = statistics.mean(values)
    return f"{mean:.3f}" if len(values) == 1 else f"{mean:.3f} ± {(max(values) - min(values)) / 2:.3f}"
