"""Trains an exported `.pt` further, as pruned as it is: `YOLO("x.pt").train(data=..., trainer=PrunedTrainer)`."""

from __future__ import annotations

from typing import Any

from torch import nn

import spaces.offline  # noqa: F401  (before ultralytics)
from spaces.base import SpaceError

# isort: split
from ultralytics.models.yolo.detect import DetectionTrainer


class PrunedTrainer(DetectionTrainer):  # type: ignore[misc]  # Ultralytics has no types
    """Ultralytics' own trainer that trains the network in the file, not one built from its YAML.

    Its files hold stock classes only, are pruned as before and can be trained further in the same way. It is not for
    searches: `objectives.training.training` trains candidates.
    """

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
        outputs, classes = weights.model[-1].nc, self.data["nc"]
        if outputs != classes:
            raise SpaceError(f"the network has {outputs} classes, the data {classes}; both must have the same")
        network: nn.Module = weights.float()
        return network.requires_grad_(True)  # the trainer itself freezes layers, and logs which
