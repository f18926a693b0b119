"""Images with one class each, changed as Ultralytics' `ClassificationDataset` changes them, from a check of ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import default_collate

import spaces.offline  # noqa: F401  (before ultralytics)

# isort: split
from ultralytics.data.augment import classify_augmentations, classify_transforms
from ultralytics.utils import DEFAULT_CFG_DICT, IterableSimpleNamespace


class ClassImages(torch.utils.data.Dataset[dict[str, Any]]):
    """Images of one split with the class of each.

    Attributes:
        samples: For each image its file and the number of its class.
        torch_transforms: Ultralytics' own: random crops and colours for training, else a crop of the centre.
        buffer: Images of mosaics, which classifiers do not have.
    """

    def __init__(
        self,
        samples: Sequence[tuple[str, int]],
        read: Callable[[str], NDArray[np.uint8]],
        *,
        imgsz: int,
        augment: Mapping[str, Any] | None,
    ) -> None:
        """Prepare the images.

        Args:
            read: Reads a file: (height, width, 3) in BGR.
            augment: Ultralytics' augmentation arguments, over its defaults; None for validation.
        """
        self.samples, self._read, self.imgsz = list(samples), read, imgsz
        self.buffer: list[int] = []
        self.collate_fn = default_collate
        hyp = IterableSimpleNamespace(**{**DEFAULT_CFG_DICT, **(augment or {})})
        training = {"hflip": hyp.fliplr, "vflip": hyp.flipud, "erasing": hyp.erasing, "auto_augment": hyp.auto_augment}
        colours = {name: getattr(hyp, name) for name in ("hsv_h", "hsv_s", "hsv_v")}
        self.torch_transforms = (
            classify_transforms(size=imgsz)
            if augment is None
            else classify_augmentations(size=imgsz, scale=(1.0 - hyp.scale, 1.0), **training, **colours)
        )

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.samples)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return `img` `(3, imgsz, imgsz)`, float32 in [0, 1], and `cls`."""
        file, number = self.samples[index]
        image = Image.fromarray(cv2.cvtColor(self._read(file), cv2.COLOR_BGR2RGB))
        return {"img": self.torch_transforms(image), "cls": number}

    def close_mosaic(self, hyp: Any) -> None:
        """Do nothing: there are no mosaics."""
