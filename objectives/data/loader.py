"""Feeds a checked data set to Ultralytics: labels from memory, images kept in RAM, both read once per process.

A trainer uses it by overriding one method::

    class Trainer(DetectionTrainer):
        def build_dataset(self, img_path, mode="train", batch=None):
            augment = vars(self.args) if mode == "train" else None
            return detection_dataset(
                data, mode, imgsz=self.args.imgsz, batch=batch, augment=augment, rect=mode == "val"
            )

`train_loader.dataset.close_mosaic(...)` works as in Ultralytics.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import torch
from numpy.typing import NDArray

import spaces.offline  # noqa: F401  (before ultralytics)
from objectives.data.check import read_rows
from objectives.data.dataset import DataError, Dataset
from objectives.data.pixels import Pixels, decode, open_image
from objectives.data.split import Selection, Split
from objectives.tasks.class_images import ClassImages
from objectives.tasks.label_form import LabelForm, Points
from spaces.base import SpaceError
from spaces.shown import shown
from spaces.steps import note_step

from ultralytics.data.dataset import YOLODataset
from ultralytics.data.utils import exif_size
from ultralytics.utils import DEFAULT_CFG_DICT, IterableSimpleNamespace

_SHARE_OF_FREE_RAM = 0.5
_lock = threading.Lock()


@dataclass
class _Scan:
    """Facts of one split in this process. Arrays are read-only; every data set made from it gets copies."""

    split: Split
    shapes: tuple[tuple[int, int], ...]  # height, width in px, as the image is seen (EXIF applied)
    boxes: tuple[NDArray[np.float32], ...]
    points: tuple[tuple[Points, ...], ...]
    form: LabelForm
    images: dict[tuple[int, bool], dict[str, Pixels]] = field(default_factory=dict)  # by size and `area`, then by file

    @cached_property
    def sizes(self) -> dict[str, tuple[int, int]]:
        """Height and width in px of each image in its file."""
        return dict(zip(map(str, self.split.images), self.shapes, strict=True))

    def labels(self) -> list[dict[str, Any]]:
        """Return the label list of an Ultralytics data set; the caller may change the dicts, not the arrays."""
        return [
            {
                "im_file": str(image),
                "shape": shape,
                "cls": boxes[:, :1],
                "bboxes": boxes[:, 1:],
                **self.form.as_ultralytics(points),
                "normalized": True,
                "bbox_format": "xywh",
            }
            for image, shape, boxes, points in zip(self.split.images, self.shapes, self.boxes, self.points, strict=True)
        ]

    def images_at(self, imgsz: int, area: bool) -> dict[str, Pixels] | None:
        """Return all images with their long side at `imgsz` px, by file; None if they would take too much RAM."""
        if (imgsz, area) not in self.images:
            needed = sum(3 * h * w for h, w in (_resized(shape, imgsz) for shape in self.shapes))
            if needed > _SHARE_OF_FREE_RAM * free_ram_bytes():
                self.images.clear()  # images of another size may have taken it
            if needed > _SHARE_OF_FREE_RAM * free_ram_bytes():
                return None
            files = [str(path) for path in self.split.images]
            with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
                pixels = pool.map(lambda file: _load(file, imgsz, area), files)
                self.images[imgsz, area] = dict(zip(files, pixels, strict=True))
        return self.images[imgsz, area]


_scans: dict[tuple[str, str], _Scan] = {}


class CheckedDataset(YOLODataset):  # type: ignore[misc]  # Ultralytics has no types
    """Data set for Ultralytics' loader that neither scans folders nor touches `*.cache` and `*.npy` files."""

    def __init__(self, scan: _Scan, *, area: bool = False, **arguments: Any) -> None:
        """Build the data set; `arguments` are those of `YOLODataset` except the images' path and `cache`."""
        self.scan, self.area = scan, area
        self.shared: dict[str, Pixels] | None = None
        super().__init__(img_path="", cache="ram", **arguments)

    def get_img_files(self, img_path: str | list[str]) -> list[str]:
        """Return the images of the checked split."""
        return [str(path) for path in self.scan.split.images]

    def get_labels(self) -> list[dict[str, Any]]:
        """Return the labels that the check has parsed."""
        return self.scan.labels()

    def check_cache_ram(self, safety_margin: float = 1.0) -> bool:
        """Take the images that this process shares, if they fit."""
        with _lock:
            self.shared = self.scan.images_at(self.imgsz, self.area)
        if self.shared is None:
            self.cache = None
        return self.shared is not None

    def cache_images(self) -> None:
        """Do nothing: the images are already in RAM."""

    def load_image(
        self, i: int, rect_mode: bool = True, resize_short: bool = False
    ) -> tuple[Pixels, tuple[int, int], tuple[int, int]]:
        """Return the image `(height, width, 3)` in BGR, its size in the file, and its size now.

        The caller owns the array: augmentations draw into it.
        """
        file = self.im_files[i]
        pixels = _load(file, self.imgsz, self.area) if self.shared is None else self.shared[file].copy()
        if self.augment and self.shared is None:
            self._remember(i)
        return pixels, self.scan.sizes[file], pixels.shape[:2]

    def _remember(self, i: int) -> None:
        """Note an image for mosaic, which takes its other images from the last ones when they are not in RAM."""
        self.buffer.append(i)
        if len(self.buffer) > max(1, self.max_buffer_length):
            self.buffer.pop(0)


def detection_dataset(
    data: Dataset,
    split: str,
    *,
    imgsz: int,
    batch: int,
    augment: Mapping[str, Any] | None,
    rect: bool,
    stride: int = 32,
    area: bool = False,
) -> Any:
    """Build the data set of one split. The second one of a process takes almost no time.

    Args:
        imgsz: Long side of the images in px.
        batch: Images per batch (matters where `rect` groups images of similar aspect ratio).
        augment: Ultralytics' augmentation arguments, over its defaults (all training arguments are taken, so
            `vars(trainer.args)` will do); None for validation: letterbox only.
        rect: Pad each batch to its own smallest rectangle, as Ultralytics validates, in place of squares.
        stride: Largest stride of the network in px.
        area: Shrink images by averaging areas, as the original YOLOv5 validates, in place of linear interpolation.

    Raises:
        SpaceError: If the data set has no such split, or Ultralytics no such argument.
        DataError: If files have changed since the check.
    """
    unknown = set(augment or {}) - set(DEFAULT_CFG_DICT) - {"augmentations", "save_dir"}
    if unknown:
        raise SpaceError(f"unknown augmentation arguments: {', '.join(sorted(unknown))}")
    if not data.task.finds_boxes:
        scan = _scan_of(data, split)
        files = [(str(image), boxes) for image, boxes in zip(scan.split.images, scan.boxes, strict=True)]
        samples = [(file, int(boxes[0, 0])) for file, boxes in files if len(boxes)]
        both = None if augment is None else {**data.augmentation, **augment}
        return ClassImages(samples, _original, imgsz=imgsz, augment=both)
    return CheckedDataset(
        _scan_of(data, split),
        area=area,
        imgsz=imgsz,
        augment=augment is not None,
        hyp=IterableSimpleNamespace(**{**DEFAULT_CFG_DICT, **(augment or {}), "deterministic": False}),
        prefix="",
        rect=rect,
        batch_size=batch,
        stride=stride,
        pad=0.0 if augment is not None else 0.5,
        data=ultralytics_data(data),
        task=data.task.name,
    )


def ultralytics_data(data: Dataset) -> dict[str, Any]:
    """Return what Ultralytics' data sets, trainers and validators read of a data set's YAML."""
    return {"names": dict(enumerate(data.classes)), "nc": len(data.classes), "channels": 3, **data.facts}


def real_images(data: Dataset, imgsz: int, most: int, split: str = "val") -> list[NDArray[np.float32]]:
    """Return up to `most` images of a split, evenly spread, letterboxed as Ultralytics does: (3, imgsz, imgsz)."""
    images = detection_dataset(data, split, imgsz=imgsz, batch=1, augment=None, rect=False)
    chosen = np.unique(np.linspace(0, len(images) - 1, most).round().astype(int))
    return [in_unit_range(images[int(index)]["img"]).numpy() for index in chosen]


def in_unit_range(images: torch.Tensor) -> torch.Tensor:
    """Return images as float32 in [0, 1]; those of classifiers are so already."""
    return images.float() if images.is_floating_point() else images.float() / 255


def free_ram_bytes() -> int:
    """Return RAM that this process could still take: the machine's, or its container's if that is less."""
    free = int(psutil.virtual_memory().available)
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
        if limit != "max":
            free = min(free, int(limit) - int(Path("/sys/fs/cgroup/memory.current").read_text(encoding="ascii")))
    except (OSError, ValueError):
        pass  # no container, or an older kind
    return max(0, free)


def _scan_of(data: Dataset, split: str) -> _Scan:
    if split not in data.splits:
        raise SpaceError(f"data set '{data.name}' has no split '{split}'; it has {', '.join(data.splits)}")
    with _lock:
        key = (data.key, split)
        # Equal data may lie in two places; the paths are part of the shared scan.
        if key not in _scans or _scans[key].split != data.splits[split]:
            _scans[key] = _scan(data.splits[split], data.numbered or len(data.classes), data.selection, data.label_form)
        return _scans[key]


def _scan(split: Split, classes: int, selection: Selection, form: LabelForm) -> _Scan:
    boxes, points = [], []
    for label in split.labels:
        rows = read_rows(label, classes, form)
        counted = _counted(rows.boxes, selection)
        array = _selected(rows.boxes[counted], selection)
        array.setflags(write=False)
        boxes.append(array)
        points.append(tuple(each for each, counts in zip(rows.points, counted, strict=bool(rows.points)) if counts))
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        shapes = tuple(pool.map(_shape, split.images))
    return _Scan(split, shapes, tuple(boxes), tuple(points), form)


def _counted(rows: NDArray[np.float32], selection: Selection) -> NDArray[np.bool_]:
    """Return which label rows `(N, 5)` are of classes that count."""
    if selection.classes is None:
        return np.ones(len(rows), dtype=bool)
    return np.isin(rows[:, 0], selection.classes)


def _selected(rows: NDArray[np.float32], selection: Selection) -> NDArray[np.float32]:
    """Return label rows `(N, 5)` with their class as it counts; the array may be the one given."""
    if selection.single_cls:
        rows = np.concatenate((np.zeros_like(rows[:, :1]), rows[:, 1:]), 1)
    return rows


def _shape(image: Path) -> tuple[int, int]:
    note_step()
    try:
        with open_image(image) as opened:
            width, height = exif_size(opened)
    except OSError as error:
        raise DataError(f"{shown(image)}: cannot be read any more: {error}") from None
    return height, width


def _resized(shape: tuple[int, int], imgsz: int) -> tuple[int, int]:
    """Return height and width with the long side at `imgsz`, rounded as Ultralytics does."""
    ratio = imgsz / max(shape)
    return min(math.ceil(shape[0] * ratio), imgsz), min(math.ceil(shape[1] * ratio), imgsz)


def _original(file: str) -> Pixels:
    note_step()
    pixels = decode(file)
    if pixels is None:
        raise DataError(f"{shown(file)}: cannot be read as an image")
    return pixels


def _load(file: str, imgsz: int, area: bool) -> Pixels:
    pixels = _original(file)
    height, width = _resized(pixels.shape[:2], imgsz)
    if max(pixels.shape[:2]) != imgsz:
        shrinks = max(pixels.shape[:2]) > imgsz
        interpolation = cv2.INTER_AREA if area and shrinks else cv2.INTER_LINEAR
        pixels = cv2.resize(pixels, (width, height), interpolation=interpolation)
    return np.ascontiguousarray(pixels)
