"""Training and evaluation of a study's networks: on its data, on one device, with one seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from objectives.base import EpochResult
from objectives.data.dataset import Dataset
from objectives.metrics.reloaded_network import ReloadedNetwork
from objectives.quantities import VAL
from objectives.recipe import Recipe
from objectives.training.batchnorm import reestimate
from objectives.training.exported_accuracy import FileTarget
from objectives.training.kept_training import KeptTraining, weights_hash
from objectives.training.training import Trained, train
from spaces.base import Candidate

BATCHNORM_IMAGES = 256
"""Number of images that BatchNorm statistics are re-estimated on; more change accuracy by less than its noise."""


@dataclass(frozen=True, kw_only=True)
class StudyTraining:
    """Trains networks, and gives what is needed to evaluate them.

    Attributes:
        device: Where networks are trained, in Ultralytics' notation: `cpu`, `0`, `cuda:1`.
        scratch: A folder for temporary files of this process.
        confidence: Confidence threshold of precision, recall and F1.
        iou: IoU at which a detection matches an object, for the same figures.
        files: Targets of reduced precision by their precision: the files for them are scored too.
        progress: Called after each batch with epoch, epochs, batch and batches.
    """

    data: Dataset
    device: str
    scratch: Path
    seed: int
    confidence: float
    iou: float
    files: Mapping[str, FileTarget] = field(default_factory=dict)
    progress: Callable[[int, int, int, int], None] | None = None

    @property
    def scored_splits(self) -> tuple[str, ...]:
        """Names of the splits that accuracy is measured on: val first, then every further test split."""
        return (VAL, *(name for name in self.data.splits if name not in ("train", VAL)))

    def train(
        self,
        candidate: Candidate,
        recipe: Recipe,
        *,
        report: Callable[[EpochResult], None] | None = None,
        teacher: Candidate | None = None,
        inherited: bool = True,
        seed: int | None = None,
        kept: KeptTraining | None = None,
    ) -> Trained:
        """Train a network, or go on with a training that an earlier process began.

        Args:
            report: Called after each scored epoch; an exception that it raises ends the training.
            teacher: Network for distillation, if the recipe asks for it.
            inherited: Whether the weights come from a wider network: BatchNorm is re-estimated first then.
            seed: Seed of this training; by default the study's.
            kept: Where the state of the training is kept and found; its facts are those of `facts_of`.
        """
        if inherited and (kept is None or not kept.is_found):
            images = min(BATCHNORM_IMAGES, len(self.data.splits["train"].images))
            candidate = reestimate(candidate, self.data, recipe, batches=max(1, images // recipe.batch))
        return train(
            candidate,
            recipe,
            self.data,
            seed=self.seed if seed is None else seed,
            device=self.device,
            scratch=self.scratch,
            teacher=teacher if recipe.distill else None,
            report=report,
            progress=self.progress,
            kept=kept,
        )

    def facts_of(self, candidate: Candidate, recipe: Recipe, *, teacher: Candidate, seed: int) -> dict[str, str]:
        """Return what the course of a training depends on beside the data, by name."""
        return {
            "weights": weights_hash(candidate.network),
            "recipe": recipe.key,
            "seed": str(seed),
            "teacher": weights_hash(teacher.network) if recipe.distill else "none",
            "device": "cpu" if self.device == "cpu" else "gpu",
        }

    def reloaded_network(self, candidate: Candidate) -> ReloadedNetwork:
        """Return a saved and reloaded network together with the data that it is evaluated on."""
        return ReloadedNetwork(
            candidate, self.data, self.scored_splits, self.device, self.confidence, self.iou, self.files
        )
