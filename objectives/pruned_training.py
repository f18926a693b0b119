"""Trains an exported `.pt` further, as pruned as it is: `YOLO("x.pt").train(data=..., trainer=PrunedTrainer)`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from torch import nn

import spaces.offline  # noqa: F401  (before ultralytics)
from objectives.tasks.base import Task
from objectives.tasks.detect import DETECTION
from objectives.tasks.registry import task_named
from spaces.base import SpaceError


class PrunedTrainer:
    """Ultralytics' own trainer of the task that trains the network in the file, not one built from its YAML.

    Its files hold stock classes only, are pruned as before and can be trained further in the same way. It is not for
    searches: `objectives.training.training` trains candidates.
    """

    data: Any

    def __new__(cls, cfg: Any = None, overrides: Mapping[str, Any] | None = None, **further: Any) -> PrunedTrainer:
        """Return a trainer of the task that Ultralytics names; its own class of the task is what is initialised.

        Raises:
            SpaceError: If networks are not trained for the task here.
        """
        return object.__new__(_trainer_of(task_named((overrides or {}).get("task") or DETECTION.name)))

    def get_model(self, cfg: Any = None, weights: Any = None, verbose: bool = True) -> nn.Module:
        """Return the network that was loaded.

        Args:
            cfg: The model YAML; cannot say how a network was pruned (docs/decisions/0007), so it is not read.
            weights: The network that was loaded; trained in place.

        Raises:
            SpaceError: If there is none, it is fused, or the data has another number of classes.
        """
        if weights is None:
            raise SpaceError("pretrained=False: a pruned network exists in its weights file only; leave it out")
        if weights.is_fused():
            raise SpaceError("the network is fused, its BatchNorm layers are gone; load the file again")
        head = weights.model[-1]
        outputs, classes = head.nc if hasattr(head, "nc") else head.linear.out_features, self.data["nc"]
        if outputs != classes:
            raise SpaceError(f"the network has {outputs} classes, the data {classes}; both must have the same")
        network: nn.Module = weights.float()
        return network.requires_grad_(True)  # the trainer itself freezes layers, and logs which


@cache
def _trainer_of(task: Task) -> type[PrunedTrainer]:
    """Return the class; of one name for all tasks, because a process for a further GPU makes its trainer by name."""
    return type(PrunedTrainer.__name__, (PrunedTrainer, task.trainer()), {"__module__": __name__})
