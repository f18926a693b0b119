"""Calibration images for int8: a few images of the study's data set, from `train`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from objectives.data.dataset import Dataset


@dataclass(frozen=True)
class Calibration:
    """Images from which post-training quantisation learns the range of the activations.

    Attributes:
        images: Number of images, spread evenly over the split.
    """

    data: Dataset
    images: int = 16

    @staticmethod
    def for_precision(precision: str, data: Callable[[], Dataset]) -> Calibration | None:
        """Return the calibration that a target of this precision needs: None unless it is int8.

        Args:
            data: Opens the data set; called for int8 only.
        """
        return Calibration(data()) if precision == "int8" else None

    @property
    def key(self) -> str:
        """Hash of the images, a part of the target's key."""
        return hashlib.sha256(f"{self.data.key} train {self.images}".encode()).hexdigest()[:16]

    def at(self, imgsz: int) -> list[NDArray[np.float32]]:
        """Return the images, letterboxed: each (3, imgsz, imgsz) in [0, 1]."""
        from objectives.data.loader import real_images  # imports torch

        return real_images(self.data, imgsz, self.images, split="train")
