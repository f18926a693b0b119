"""Ultralytics' trainer, changed to train the given network in memory, without files and other side effects."""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

import spaces.offline  # noqa: F401  (before ultralytics)
from objectives.base import EpochResult
from objectives.data.dataset import Dataset
from objectives.data.loader import detection_dataset, ultralytics_data
from objectives.device.sharing import claim_device
from objectives.quantities import BEST_F1, MAP50_95
from objectives.recipe import AUGMENTATION, KEEP, Recipe
from objectives.tasks.base import Task
from objectives.training import sparsity
from objectives.training.detections import CheckedValidator, checked_validator
from objectives.training.distillation import strides, student_of, with_teacher
from objectives.training.kept_training import KeptTraining
from objectives.training.training_state import capture, restore
from spaces.anchors.anchor_head import is_anchor_head
from spaces.base import Candidate, CandidateError

OURS = frozenset({"bn_momentum", "val_every", "sparsity", "distill", "keep"})
"""Fields of a recipe that are unknown to Ultralytics."""

Report = Callable[[EpochResult], None]
Progress = Callable[[int, int, int, int], None]


def ultralytics_arguments(recipe: Recipe, *, seed: int, device: str, folder: Path) -> dict[str, Any]:
    """Return the recipe as arguments of Ultralytics' trainer, with downloads and output files turned off."""
    return {
        **{name: value for name, value in recipe.as_plain().items() if name not in OURS},
        "model": "candidate",
        "data": "data",
        "dis": recipe.distill,
        "nbs": recipe.batch,
        "device": device,
        "seed": seed % 2**32,
        "workers": 0,
        "patience": 0,
        "amp": False,  # `_setup_train` turns it on without the check that downloads a model
        "pretrained": False,
        "save": False,
        "plots": False,
        "verbose": False,
        "project": str(folder.resolve()),
        "name": "run",
        "exist_ok": True,
    }


@dataclass(eq=False)
class BestEpoch:
    """Epoch with the best score so far, and its weights; none at first."""

    score: float = -1.0
    epoch: int = 0
    weights: dict[str, torch.Tensor] = field(default_factory=dict)


_Stock: Any = object  # Ultralytics' trainer of the task, which has no types


class CandidateTraining(_Stock):  # type: ignore[misc]
    """Training of one candidate; the weights of the best epochs stay in `best_epochs`.

    The name of the class must not contain "Trainer": if it does, Ultralytics loads mlflow, comet, wandb and the like.
    """

    def __init__(
        self,
        candidate: Candidate,
        recipe: Recipe,
        data: Dataset,
        *,
        seed: int,
        device: str,
        folder: Path,
        teacher: Candidate | None,
        report: Report | None,
        progress: Progress | None,
        kept: KeptTraining | None = None,
    ) -> None:
        self.candidate, self.recipe, self.dataset, self.teacher = candidate, recipe, data, teacher
        self.report, self.progress, self.kept = report, progress, kept
        self.error_of_caller: BaseException | None = None
        self.history: list[EpochResult] = []
        self.best_epochs = {name: BestEpoch() for name in KEEP}
        self.batch_number = 0
        self.scored_at = time.perf_counter()
        self.claim = contextlib.ExitStack()
        threads = torch.get_num_threads()
        super().__init__(overrides=ultralytics_arguments(recipe, seed=seed, device=device, folder=folder))
        torch.set_num_threads(threads)  # Ultralytics has just changed it; the caller decides it

    # Network and data.

    def get_dataset(self) -> dict[str, Any]:
        """Return the data as Ultralytics describes it, with the names of splits in place of paths."""
        return {"train": "train", "val": "val", **ultralytics_data(self.dataset)}

    def get_model(self, cfg: Any = None, weights: Any = None, verbose: bool = True) -> nn.Module:
        """Return a copy of the candidate's network: the stock method would rebuild the uncut network from its YAML."""
        network = copy.deepcopy(self.candidate.network).float()
        network.to(memory_format=torch.channels_last)  # a fifth faster on the CPU at batch 32, same results
        network.args = self.args
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = self.recipe.bn_momentum
        if self.recipe.distill > 0 and self.teacher is not None:
            return with_teacher(network, self.teacher)
        return network

    def build_dataset(self, img_path: str, mode: str = "train", batch: int | None = None) -> Any:
        """Return images and labels of a split, from memory. Training images are augmented by the recipe."""
        train = mode == "train"
        plain = self.recipe.as_plain()
        return detection_dataset(
            self.dataset,
            img_path,
            imgsz=self.args.imgsz,
            batch=batch or self.recipe.batch,
            augment={name: plain[name] for name in AUGMENTATION} if train else None,
            rect=not train,
            stride=max(*strides(student_of(self.model)), 32),
            area=not train and is_anchor_head(self.model),
        )

    def get_validator(self) -> CheckedValidator:
        """Return a validator without a time limit on NMS: scores must not depend on the machine's load."""
        return checked_validator(self.dataset.task)(
            self.test_loader,
            save_dir=self.save_dir,
            args=copy.copy(self.args),
            _callbacks={"on_val_batch_end": [lambda _: self._renew_claim()]},
        )

    def _setup_train(self) -> None:
        super()._setup_train()
        if self.device.type == "cuda":
            self.amp = True
            self.scaler = torch.amp.GradScaler("cuda")
        if self.recipe.sparsity > 0:
            sparsity.attach(self.optimizer, student_of(self.model), self.recipe.sparsity)
        state = None if self.kept is None else self.kept.take()
        if state is not None:
            restore(self, state)

    # Training and validation.

    def train(self) -> None:
        """Train. A measurement on the same device waits for the running batch, and the next batch waits for it."""
        with self.claim:
            super().train()

    def _renew_claim(self) -> None:
        """Release the device for processes that wait to measure, then claim it again for the next batch.

        The claim includes loading and augmenting of the batch, because these keep a CPU busy too.
        """
        self.claim.close()
        self.claim.enter_context(claim_device(self.device))

    def run_callbacks(self, event: str) -> None:
        """Run only our own: Ultralytics' callbacks send analytics and use installed loggers."""
        if event == "on_train_start":
            self._renew_claim()
        elif event == "on_train_epoch_start":
            self._oom_retries = 3  # none left: the stock loop would silently halve the batch in the first epoch
            self.batch_number = 0
        elif event == "on_train_batch_end":
            self._after_batch()
        elif event == "on_train_epoch_end":
            self._require_finite_weights()
        elif event == "on_fit_epoch_end":
            if self._is_scored(self.epoch):
                self._after_scored_epoch()
            if self.kept is not None and self.epoch + 1 < self.epochs:
                self.claim.close()  # writing to a disk does not disturb a measurement
                self.kept.offer(lambda copied: capture(self, copied=copied))
                self._renew_claim()

    def _after_batch(self) -> None:
        self.batch_number += 1
        if not torch.isfinite(self.loss):
            raise CandidateError(
                f"training loss is {self.loss.item()} in epoch {self.epoch + 1}, batch {self.batch_number} "
                f"(lr0 {self.recipe.lr0}, {self.recipe.optimizer})"
            )
        with self._calling():
            if self.progress is not None:
                self.progress(self.epoch + 1, self.epochs, self.batch_number, len(self.train_loader))

    def _require_finite_weights(self) -> None:
        for name, tensor in self.ema.ema.state_dict().items():
            if not torch.isfinite(tensor).all():
                raise CandidateError(
                    f"training diverged: weights of '{name}' are not finite after epoch {self.epoch + 1} "
                    f"(lr0 {self.recipe.lr0}, {self.recipe.optimizer}); lower lr0"
                )

    def _is_scored(self, epoch: int) -> bool:
        return (epoch + 1) % self.recipe.val_every == 0 or epoch + 1 == self.epochs

    def validate(self) -> tuple[dict[str, float], float | None]:
        """Score the moving average of the weights on val, in the epochs that the recipe selects."""
        if not self._is_scored(self.epoch):
            return self.metrics, None
        metrics, fitness = super().validate()
        return metrics, float(fitness)

    def _after_scored_epoch(self) -> None:
        own, own50, f1 = self.dataset.task.epoch_figures(self.validator.metrics)
        loss = sum(value for name, value in self.metrics.items() if name.startswith("val/"))
        now = time.perf_counter()
        result = EpochResult(self.epoch + 1, own, own50, float(loss), now - self.scored_at)
        self.scored_at = now
        if not all(map(torch.isfinite, torch.tensor([result.map50_95, result.loss]))):
            raise CandidateError(f"val loss is {result.loss}, mAP50-95 {result.map50_95} after epoch {result.epoch}")
        scores = {MAP50_95.name: result.map50_95, BEST_F1.name: f1}
        better = [best for name, best in self.best_epochs.items() if scores[name] >= best.score]
        if better:
            weights = student_of(self.ema.ema).state_dict()
            copied = {name: tensor.detach().cpu().clone() for name, tensor in weights.items()}
            for name, best in self.best_epochs.items():
                if best in better:  # of equal scores the later epoch, which was trained for longer
                    best.score, best.epoch, best.weights = scores[name], result.epoch, copied
        self.history.append(result)
        if self.report is not None:
            with self._calling():
                self.report(result)

    @contextlib.contextmanager
    def _calling(self) -> Iterator[None]:
        """Remember an error of the caller's own function: it is not the candidate's fault.

        The device is released meanwhile: the caller may measure.
        """
        self.claim.close()
        try:
            yield
        except BaseException as error:
            self.error_of_caller = error
            raise
        self._renew_claim()

    # Methods of Ultralytics' trainer that are turned off.

    def _handle_nan_recovery(self, epoch: int) -> bool:
        return False  # `_after_batch` has raised already; the stock recovery loops on a checkpoint file

    def save_model(self) -> bool:
        """Write nothing: a stock checkpoint is a pickle and holds the checkout's git remote."""
        return False

    def save_metrics(self, metrics: dict[str, float]) -> None:
        """Write nothing: `history` has the metrics."""

    def final_eval(self) -> None:
        """Do nothing: `objectives.training.accuracy` loads the saved file again and scores it."""


@cache
def training_class(task: Task) -> type[CandidateTraining]:
    """Return the class that trains networks of a task: `CandidateTraining`, above Ultralytics' own trainer."""
    return type(CandidateTraining.__name__, (CandidateTraining, task.trainer()), {})
