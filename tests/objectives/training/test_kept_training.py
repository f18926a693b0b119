"""A training that is interrupted goes on from its last epoch, and ends bit for bit as if nothing had happened."""

from __future__ import annotations

import errno
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from objectives.base import EpochResult
from objectives.data.dataset import Dataset
from objectives.recipe import Recipe
from objectives.training import kept_training
from objectives.training.kept_training import KeptTraining, weights_hash
from objectives.training.training import Trained, train
from spaces.base import Candidate
from spaces.networks.parent import Parent
from tests.objectives.networks import candidate

EPOCHS = 3
FACTS = {"recipe": "one", "torch": "2.0"}
ALL_AUGMENTED = {"mosaic": 1.0, "mixup": 0.5, "close_mosaic": 1, "warmup_epochs": 1.5, "fliplr": 0.5}
SMALL = Recipe(epochs=EPOCHS, batch=16, imgsz=32, optimizer="SGD", lr0=0.01)
WHOLE_BATCHES = SMALL.with_values(**ALL_AUGMENTED, sparsity=1e-3)
"""48 images in three batches of 16: the next order is not drawn before the next epoch."""
PARTIAL_BATCH = SMALL.with_values(**{**ALL_AUGMENTED, "close_mosaic": 2}, batch=20, optimizer="AdamW", val_every=2)
"""The last batch has 8 images; the mosaic is closed after the first epoch; two of three epochs are scored."""


class Interrupted(BaseException):
    """Exception such as a signal handler may raise."""


@pytest.fixture(scope="module")
def small() -> Candidate:
    return candidate(width=0.0625)


def interrupt_in(epoch: int) -> Callable[[int, int, int, int], None]:
    """Interrupt in the second batch of an epoch."""

    def progress(now: int, _epochs: int, batch: int, _batches: int) -> None:
        if (now, batch) == (epoch, 2):
            raise Interrupted

    return progress


def same_weights(one: Trained, other: Trained) -> bool:
    return weights_hash(one.candidate.network) == weights_hash(other.candidate.network) and (
        weights_hash(one.best_f1.network) == weights_hash(other.best_f1.network)
    )


def without_seconds(history: tuple[EpochResult, ...]) -> list[tuple[float, ...]]:
    return [(each.epoch, each.map50_95, each.map50, each.loss) for each in history]


@pytest.mark.parametrize(
    ("recipe", "interrupted_in", "every_s"),
    [(WHOLE_BATCHES, 2, 0.0), (PARTIAL_BATCH, 3, 3600.0)],
    ids=["whole batches", "partial batch, kept in memory"],
)
def test_an_interrupted_training_ends_with_the_same_weights(
    recipe: Recipe, interrupted_in: int, every_s: float, small: Candidate, digits: Dataset, tmp_path: Path
) -> None:
    undisturbed = train(small, recipe, digits, seed=3, scratch=tmp_path)
    path, reported = tmp_path / "kept", []

    def go_on(progress: Callable[[int, int, int, int], None] | None = None) -> Trained:
        kept = KeptTraining(path, FACTS, every_s)
        return train(
            small,
            recipe,
            digits,
            seed=3,
            scratch=tmp_path,
            report=lambda result: reported.append(result.epoch),
            progress=progress,
            kept=kept,
        )

    with pytest.raises(Interrupted):
        go_on(interrupt_in(interrupted_in))
    again: list[int] = []
    random.seed(1), np.random.seed(1), torch.manual_seed(1)  # another process has other generators
    resumed = go_on(lambda epoch, *_: again.append(epoch))
    assert min(again) == interrupted_in  # only the epoch that was interrupted is trained twice
    assert reported == [result.epoch for result in undisturbed.history]
    assert same_weights(resumed, undisturbed)
    assert without_seconds(resumed.history) == without_seconds(undisturbed.history)
    assert resumed.kept_epoch == undisturbed.kept_epoch
    assert 0 < resumed.earlier_s < resumed.seconds


def test_a_distilled_network_with_two_heads_goes_on_as_it_was(digits: Dataset, tmp_path: Path) -> None:
    """The weights of its two losses change with the epochs, and its projections are trained too."""
    parent = Parent.load("yolo26n.yaml", classes=digits.classes, imgsz=32)
    network = parent.build(parent.spec({group.name: max(1, group.width // 16) for group in parent.groups}))
    recipe = SMALL.with_values(epochs=3, distill=6.0, mosaic=0.0, optimizer="MuSGD")
    shared = {"seed": 0, "scratch": tmp_path, "teacher": network}
    undisturbed = train(network, recipe, digits, **shared)  # type: ignore[arg-type]
    with pytest.raises(Interrupted):
        kept = KeptTraining(tmp_path / "kept", FACTS)
        train(network, recipe, digits, progress=interrupt_in(3), kept=kept, **shared)  # type: ignore[arg-type]
    resumed = train(network, recipe, digits, kept=KeptTraining(tmp_path / "kept", FACTS), **shared)  # type: ignore[arg-type]
    assert same_weights(resumed, undisturbed)


def kept_state(path: Path) -> None:
    KeptTraining(path, FACTS).offer(lambda copied: {"epoch": 1, "history": []})


def test_state_of_another_training_is_ignored_with_one_line(tmp_path: Path) -> None:
    kept_state(tmp_path / "kept")
    said: list[str] = []
    assert KeptTraining(tmp_path / "kept", FACTS, say=said.append).is_found
    assert not KeptTraining(tmp_path / "kept", {**FACTS, "torch": "2.1"}, say=said.append).is_found
    (line,) = said
    assert line.startswith("the kept state of a training is ignored: ") and "its torch was 2.0, and is 2.1 now" in line


@pytest.mark.parametrize("spoil", [lambda content: b"", lambda content: content[:-9], lambda content: content + b"x"])
def test_damaged_state_is_ignored_with_one_line(spoil: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path, said = tmp_path / "kept", list[str]()
    kept_state(path)
    path.write_bytes(spoil(path.read_bytes()))
    assert not KeptTraining(path, FACTS, say=said.append).is_found
    assert len(said) == 1


def test_a_full_disk_ends_no_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path, content: bytes) -> Path:
        raise OSError(errno.ENOSPC, "no space", str(path))

    monkeypatch.setattr(kept_training, "write_bytes", fail)
    faults: list[Exception] = []
    KeptTraining(tmp_path / "kept", FACTS, note_fault=faults.append).offer(lambda copied: {"epoch": 1, "history": []})
    assert [getattr(fault, "errno", None) for fault in faults] == [errno.ENOSPC]


def test_state_between_two_writes_is_written_when_the_training_is_interrupted(tmp_path: Path) -> None:
    kept = KeptTraining(tmp_path / "kept", FACTS, every_s=3600.0)
    kept.offer(lambda copied: {"epoch": 1, "history": []})
    kept.offer(lambda copied: {"epoch": 2, "history": [], "copied": copied})
    assert not (tmp_path / "kept").exists()
    kept.flush()
    found = KeptTraining(tmp_path / "kept", FACTS).take()
    assert found is not None and (found["epoch"], found["copied"]) == (2, True)
