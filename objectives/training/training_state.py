"""State of a running training between two epochs: everything that its further course depends on.

A training that is restored from it goes on as if it had not been interrupted: on the CPU it ends with the same weights,
bit for bit. The data loader must work in this process: loader processes have random generators of their own.
"""

from __future__ import annotations

import dataclasses
import random
import time
from typing import Any

import numpy as np
import torch

from objectives.base import EpochResult

TEACHER = "teacher_model."
"""Beginning of the names of a teacher's tensors: they never change, and the teacher is there again."""


def capture(run: Any, *, copied: bool) -> dict[str, Any]:
    """Return the state after the present epoch: tensors on the CPU, and plain values.

    Args:
        run: A `CandidateTraining` whose epoch has ended.
        copied: True if the tensors are copies; else the training goes on to change them.
    """
    plain = _Plain(copied)
    return {
        "epoch": run.epoch + 1,
        "model": plain({name: value for name, value in run.model.state_dict().items() if TEACHER not in name}),
        "ema": plain(run.ema.ema.state_dict()),
        "ema_updates": run.ema.updates,
        "optimizer": plain(run.optimizer.state_dict()),
        "scaler": plain(run.scaler.state_dict()),
        "scheduler": plain(run.scheduler.state_dict()),
        "stopper": plain({name: getattr(run.stopper, name) for name in ("best_fitness", "best_epoch")}),
        "criterion_updates": getattr(run.model.criterion, "updates", None),
        "scores": plain({name: getattr(run, name) for name in ("best_fitness", "fitness", "metrics", "loss_names")}),
        "best_epochs": {
            name: {**vars(best)} for name, best in run.best_epochs.items()
        },  # their tensors stay as they are
        "history": [dataclasses.astuple(result) for result in run.history],
        "images": list(run.train_loader.dataset.buffer),
        "generators": _generators(),
        "unscored_s": time.perf_counter() - run.scored_at,
    }


def restore(run: Any, state: dict[str, Any]) -> None:
    """Let a training that is set up, and has not begun, go on after the epoch of a state.

    Args:
        run: A `CandidateTraining` of the same network, recipe, data and seed.

    Raises:
        KeyError: If a part of the state is missing.
        RuntimeError: If it is of another network.
    """
    epoch = int(state["epoch"])
    missing, _ = run.model.load_state_dict(state["model"], strict=False)
    if any(TEACHER not in name for name in missing):
        raise RuntimeError(f"the state of the training has no tensor '{missing[0]}'")
    run.ema.ema.load_state_dict(state["ema"])
    run.ema.updates = state["ema_updates"]
    run.optimizer.load_state_dict(state["optimizer"])
    run.scaler.load_state_dict(state["scaler"])
    run.scheduler.load_state_dict(state["scheduler"])
    run.start_epoch, run.scheduler.last_epoch = epoch, epoch - 1
    vars(run.stopper).update(state["stopper"])
    vars(run).update(state["scores"])
    if state["criterion_updates"] is not None:  # the weights of both heads' losses follow from the number of epochs
        run.model.criterion = run.model.init_criterion()
        run.model.criterion.updates = epoch - 1
        run.model.criterion.update()
    for name, best in run.best_epochs.items():
        vars(best).update(state["best_epochs"][name])
    run.history[:] = history_of(state)
    _repeat_order(run, epoch)
    run.train_loader.dataset.buffer[:] = state["images"]
    run.scored_at = time.perf_counter() - state["unscored_s"]
    _set_generators(state["generators"])  # last: all above may draw from them


def history_of(state: dict[str, Any]) -> tuple[EpochResult, ...]:
    """Return the learning curve up to a state."""
    return tuple(EpochResult(*values) for values in state["history"])


def _repeat_order(run: Any, epochs: int) -> None:
    """Draw the order of the images of these epochs again, without loading them, and close mosaic if they have done so.

    The order follows from the seed. Where one epoch's order ends and the next one begins depends on torch's loader,
    so it is repeated and not stored.
    """
    loader = run.train_loader
    closed_before = max(0, run.epochs - run.args.close_mosaic) if run.args.close_mosaic else run.epochs
    for epoch in range(epochs):
        if epoch == closed_before:
            run._close_dataloader_mosaic()
            loader.reset()
            run.args.close_mosaic = 0  # the loop of the trainer would close it once more
        if loader.iterator is None:
            loader.iterator = loader._get_iterator()
        for _ in range(len(loader)):
            next(loader.iterator._sampler_iter)


@dataclasses.dataclass(frozen=True)
class _Plain:
    """Returns values with tensors on the CPU, in their memory layout, and plain numbers in place of NumPy's."""

    copied: bool

    def __call__(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return value.detach().to("cpu", copy=self.copied)
        if isinstance(value, dict):
            return {key: self(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self(each) for each in value)
        return value.item() if isinstance(value, np.generic) else value


def _generators() -> dict[str, Any]:
    kind, words, *rest = np.random.get_state()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "numpy": [kind, torch.from_numpy(np.asarray(words).astype(np.int64)), *rest],
        "python": random.getstate(),
    }


def _set_generators(states: dict[str, Any]) -> None:
    torch.set_rng_state(states["torch"])
    if states["cuda"] and len(states["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(states["cuda"])
    kind, words, *rest = states["numpy"]
    np.random.set_state((kind, words.numpy().astype(np.uint32), *rest))
    random.setstate(states["python"])
