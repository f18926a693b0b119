"""What the benchmarks that fine-tune have in common: a parent trained once, rows trained alike, results that resume.

Everything lies in one folder and is found again: kill the benchmark at any moment, and the same command goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from objectives.data.dataset import Dataset, open_dataset
from objectives.recipe import Recipe
from objectives.training.accuracy import evaluate, score
from objectives.training.batchnorm import reestimate
from objectives.training.training import train
from spaces.base import Candidate
from spaces.networks.checkpoint import load, save
from spaces.networks.parent import Parent

BATCH = 8
SETTLING_IMAGES = 128


def arguments(description: str) -> argparse.ArgumentParser:
    """The options that these benchmarks share."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--data", default="digits", help="YAML of the data set, or the built-in digits")
    parser.add_argument("--weights", help=".pt or .safetensors that the parent starts from")
    parser.add_argument("--model", default="yolov8n.yaml", help="structure, where the weights do not name one")
    parser.add_argument("--imgsz", type=int, default=160, help="image size in px")
    parser.add_argument("--parent-epochs", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=10, help="of fine-tuning, for every row alike")
    parser.add_argument("--seeds", type=int, default=2, help="fine-tunings of every row")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, required=True, help="folder for results; found again when run again")
    return parser


@dataclass(frozen=True)
class Bench:
    """One data set, one way of training, one folder."""

    data: Dataset
    imgsz: int
    device: str
    out: Path

    @staticmethod
    def of(options: argparse.Namespace) -> Bench:
        """Open the data; one torch thread, so that runs compare."""
        torch.set_num_threads(1)
        data = open_dataset(options.data, options.out / "data")
        return Bench(data, options.imgsz, options.device, options.out)

    def recipe(self, epochs: int, **changes: Any) -> Recipe:
        """SGD from 0.01, no warm-up, batches of 8; scored on val at the end only."""
        fixed = {**self.data.defaults, "epochs": epochs, "batch": BATCH, "imgsz": self.imgsz, "optimizer": "SGD"}
        return Recipe.from_plain({**fixed, "lr0": 0.01, "warmup_epochs": 0.0, "val_every": epochs, **changes})

    def trained(self, candidate: Candidate, recipe: Recipe, seed: int) -> Candidate:
        """The candidate after that recipe."""
        scratch = self.out / "scratch"
        return train(candidate, recipe, self.data, seed=seed, device=self.device, scratch=scratch).candidate

    def settled(self, candidate: Candidate) -> Candidate:
        """The candidate with BatchNorm re-estimated."""
        batches = min(SETTLING_IMAGES, len(self.data.splits["train"].images)) // BATCH
        return reestimate(candidate, self.data, self.recipe(1), batches=max(1, batches), device=self.device)

    def map50_95(self, candidate: Candidate) -> float:
        """MAP50-95 on val as the network stands."""
        return score(candidate.network, self.data, "val", imgsz=self.imgsz, device=self.device).map50_95

    def accuracies(self, candidate: Candidate) -> dict[str, float]:
        """MAP50-95 of a finished network on val and every further split."""
        splits = [name for name in self.data.splits if name != "train"]
        return {split: evaluate(candidate, self.data, split, device=self.device).map50_95 for split in splits}

    def kept(self, name: str, make: Callable[[], Candidate]) -> Candidate:
        """A network made once and found again."""
        folder = self.out / "networks" / name
        if not folder.exists():
            save(make(), folder, half=True)
        return load(folder)

    def parent(self, options: argparse.Namespace) -> Parent:
        """The trained parent."""
        start = Parent.load(options.model, classes=self.data.classes, imgsz=self.imgsz, weights=options.weights)
        recipe = self.recipe(options.parent_epochs, warmup_epochs=1.0)
        return start.with_weights(self.kept("parent", lambda: self.trained(start.candidate(), recipe, seed=0)))


@dataclass(frozen=True)
class Results:
    """Finished pieces of work, one JSON object a line, by their key."""

    file: Path

    def keys(self) -> set[str]:
        """The keys of what is finished."""
        return set(self.found())

    def once(self, key: str, work: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        """What that work gave; done now unless it was before."""
        known = self.found()
        if key not in known:
            known[key] = dict(work())
            self.file.parent.mkdir(parents=True, exist_ok=True)
            torn = self._torn()
            with self.file.open("a", encoding="utf-8") as file:
                file.write(("\n" if torn else "") + json.dumps({"key": key, **known[key]}) + "\n")
                file.flush()
                os.fsync(file.fileno())
        return known[key]

    def found(self) -> dict[str, dict[str, Any]]:
        """What all finished work gave, by its key."""
        if not self.file.exists():
            return {}
        found = {}
        for line in self.file.read_text(encoding="utf-8").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # a line that a kill cut short: that work is done again
            found[entry.pop("key")] = entry
        return found

    def _torn(self) -> bool:
        """Whether the last line was cut short."""
        return self.file.exists() and self.file.read_bytes()[-1:] not in (b"", b"\n")


def spread(values: Sequence[float]) -> str:
    """Mean, and half the range where there are several."""
    mean = statistics.mean(values)
    return f"{mean:.3f}" if len(values) == 1 else f"{mean:.3f} ± {(max(values) - min(values)) / 2:.3f}"


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others are figures."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])
