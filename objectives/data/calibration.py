"""Images that int8 is calibrated on: a few of the study's own, from `train`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from objectives.data.dataset import Dataset


@dataclass(frozen=True)
class Calibration:
    """Where post-training quantisation sees what values the activations take.

    Attributes:
        images: How many, spread evenly over the split.
    """

    data: Dataset
    images: int = 16

    @property
    def key(self) -> str:
        """Hash of the images, as it enters the target's key."""
        return hashlib.sha256(f"{self.data.key} train {self.images}".encode()).hexdigest()[:16]

    def at(self, imgsz: int) -> list[NDArray[np.float32]]:
        """The images, letterboxed: each (3, imgsz, imgsz) in [0, 1]."""
        from objectives.data.loader import real_images  # imports torch

        return real_images(self.data, imgsz, self.images, split="train")
