"""Loss of a network that was cut and is not trained: BatchNorm is re-estimated, then the loss on training images."""

from __future__ import annotations

import copy
import math
from typing import Any

import torch

from objectives.data.dataset import Dataset
from objectives.data.random_state import own_randomness
from objectives.device.sharing import share_device
from objectives.recipe import Recipe
from objectives.training.batchnorm import reestimate_on, statistics_images
from objectives.training.gradients import labelled_batches
from spaces.base import Candidate, CandidateError


class UntrainedLoss:
    """Measures the loss of one network after another on the same training images, each in evaluation mode.

    `val` takes no part, so that a choice by this loss does not make its figures too good. Deterministic.

    Args:
        imgsz: Image size in px, square.
        images: Number of images that BatchNorm statistics are re-estimated on.
        loss_images: Number of images that the loss is the mean of; `images` by default. 0 prepares none of them.
        batch: Images per batch, at least 2: a variance needs two.
    """

    def __init__(
        self,
        data: Dataset,
        *,
        imgsz: int,
        images: int,
        loss_images: int | None = None,
        batch: int = 16,
        device: str = "cpu",
    ) -> None:
        self._device = device
        batch = max(2, batch)
        recipe = Recipe.from_plain({**data.defaults, "imgsz": imgsz, "batch": batch})
        count = images if loss_images is None else loss_images
        with own_randomness():
            found = statistics_images(data, recipe, max(1, images // batch))
            self._statistics = list(share_device(found, device))
        batches = math.ceil(count / batch)
        labelled = labelled_batches(data, imgsz, batches, batch, device) if batches else ()
        self._images: list[dict[str, Any]] = list(share_device(labelled, device))

    def reestimated(self, candidate: Candidate) -> Candidate:
        """Return the network with re-estimated BatchNorm statistics.

        Raises:
            CandidateError: If a statistic is not finite.
        """
        return reestimate_on(candidate, self._statistics, self._device)

    def measure(self, candidate: Candidate) -> float:
        """Return the mean loss of a network as it is."""
        network: Any = copy.deepcopy(candidate.network).float().to(self._device).eval()
        count = sum(len(images["img"]) for images in self._images)
        with torch.no_grad():
            losses = [float(network.loss(images)[0].sum()) for images in share_device(self._images, self._device)]
        return sum(losses) / count

    def after_cut(self, candidate: Candidate) -> float:
        """Return the loss of a cut network after its statistics are re-estimated; infinite if it overflows."""
        try:
            loss = self.measure(self.reestimated(candidate))
        except CandidateError:
            return math.inf
        return loss if math.isfinite(loss) else math.inf
