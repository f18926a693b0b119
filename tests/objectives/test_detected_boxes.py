"""Boxes on single pictures: a trained network finds the labelled ones, in the same places of the picture."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from objectives.data.dataset import Dataset, open_dataset
from objectives.data.digit_scenes import write_digits
from objectives.data.pixels import jpeg
from objectives.detected_boxes import Box, detected_boxes, labelled_pictures
from objectives.tasks.registry import task_named
from spaces.networks.checkpoint import load
from tests.tree import ROOT

TRAINED = ROOT / "benchmarks/tables/digits/networks/parent"
COUNT = 6


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("digits")
    place = write_digits(folder / "scenes", scenes={"train": 4, "val": 12, "test": 4})
    return open_dataset(str(place), folder / "cache")


def _overlap(one: Box, other: Box) -> float:
    wide = min(one.right, other.right) - max(one.left, other.left)
    high = min(one.bottom, other.bottom) - max(one.top, other.top)
    shared = max(wide, 0.0) * max(high, 0.0)
    areas = ((each.right - each.left) * (each.bottom - each.top) for each in (one, other))
    return shared / (sum(areas) - shared)


@pytest.mark.slow
def test_a_trained_network_finds_what_is_labelled(data: Dataset) -> None:
    network = load(TRAINED)
    pictures = labelled_pictures(data, network.imgsz, COUNT)
    found = detected_boxes(network, data, COUNT, least=0.5)
    assert len(pictures) == len(found) == COUNT
    labels = [(number, label) for number, picture in enumerate(pictures) for label in picture.boxes]
    hits = [any(_overlap(label, box) > 0.5 and box.label == label.label for box in found[n]) for n, label in labels]
    assert len(labels) >= COUNT and np.mean(hits) > 0.8  # it has an mAP50 above 0.9
    for boxes in found:
        assert [box.confidence for box in boxes] == sorted((box.confidence for box in boxes), reverse=True)


def test_margins_of_pictures_that_are_not_square_are_left_out(tmp_path: Path) -> None:
    """A white square in the middle of a wide and of a high picture."""
    for split in ("train", "val"):
        for name, (width, height) in {"wide": (200, 100), "high": (100, 200)}.items():
            pixels = np.zeros((height, width, 3), np.uint8)
            pixels[height // 2 - 25 : height // 2 + 25, width // 2 - 25 : width // 2 + 25] = 255
            place = tmp_path / "images" / split / f"{name}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(place), pixels + (split == "train"))
            label = tmp_path / "labels" / split / f"{name}.txt"
            label.parent.mkdir(parents=True, exist_ok=True)
            label.write_text(f"0 0.5 0.5 {50 / width} {50 / height}\n")
    (tmp_path / "d.yaml").write_text(f"path: {tmp_path}\ntrain: images/train\nval: images/val\nnames: [square]\n")
    high, wide = labelled_pictures(open_dataset(str(tmp_path / "d.yaml"), tmp_path / "cache"), 64, 2)
    assert (high.pixels.shape, wide.pixels.shape) == ((64, 32, 3), (32, 64, 3))
    for picture in (high, wide):
        (box,) = picture.boxes
        rows, columns = np.nonzero(picture.pixels[..., 0] > 128)
        height, width = picture.pixels.shape[:2]
        seen = (columns.min() / width, rows.min() / height, (columns.max() + 1) / width, (rows.max() + 1) / height)
        assert (box.left, box.top, box.right, box.bottom) == pytest.approx(seen, abs=0.05)  # a px or two of 32


def test_oriented_boxes_lie_around_bright_pixels_once_they_are_turned(tmp_path: Path) -> None:
    scenes = {"train": 2, "val": 4, "test": 2}
    data = open_dataset("digits-obb", tmp_path, scenes=scenes, task=task_named("obb"))
    pictures = labelled_pictures(data, 96, 4)
    assert any(box.turned for picture in pictures for box in picture.boxes)
    for picture in pictures:
        height, width = picture.pixels.shape[:2]
        everywhere, inside = picture.pixels.max(2), np.zeros((height, width), np.uint8)
        for box in picture.boxes:
            middle = ((box.left + box.right) / 2 * width, (box.top + box.bottom) / 2 * height)
            size = ((box.right - box.left) * width, (box.bottom - box.top) * height)
            corners = cv2.boxPoints((middle, size, box.turned))  # clockwise, too
            cv2.fillConvexPoly(inside, np.round(corners).astype(np.int32), 1)
        bright = everywhere > 0.8 * everywhere.max()
        assert (inside[bright] > 0).mean() > inside.mean() + 0.3


def test_a_jpeg_keeps_colours_and_is_made_smaller() -> None:
    red = np.zeros((40, 80, 3), np.uint8)
    red[..., 0] = 250
    small = _decoded(jpeg(red, 20))
    assert small.shape == (10, 20, 3)
    assert small[5, 10, 2] > 230 and small[5, 10, 0] < 30, "OpenCV gives blue first"
    assert _decoded(jpeg(red, 100)).shape == red.shape


def _decoded(content: bytes) -> NDArray[np.uint8]:
    pixels: NDArray[np.uint8] | None = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    return pixels
