"""The built-in data sets: scikit-learn's handwritten digits, composed on 96 px scenes, with labels for each task.

Everything is drawn in whole numbers and written as uncompressed PNG, so a seed gives the same bytes on every
machine. The glyphs of train, val and test are disjoint: no network was trained on a glyph of a test scene.

Source: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998 (via `load_digits`).
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from objectives.tasks.digit_labels import DrawnDigit
from objectives.tasks.digit_sets import BUILT_IN, CLASSES, SCENE_PX, SCENES, SINGLE_PX, DigitSet
from spaces.durable import delete_folder, make_folder

_FORMAT = 1  # raise when scenes are drawn differently, so that old folders are not taken for new ones
_SHARES = {"train": 0.7, "val": 0.15, "test": 0.15}  # of the 1,797 glyphs
_HEIGHTS_PX = (20, 36)
_PER_SCENE = (4, 6)
_TRIES = 60
_TURNED_HEIGHTS_PX = (16, 26)
_ROTATIONS = ((1, 0, 1), (24, 7, 25), (12, 5, 13), (15, 8, 17), (4, 3, 5), (3, 4, 5))
"""Cosine and sine of 0 to 53 degrees, times the third number: whole numbers, so that every machine draws the same."""
_SINGLE_HEIGHTS_PX = (32, 52)
_STROKE = 3 / 16  # share of full ink that counts for a stroke
_FAINT = 3  # minimum ink, of 0 to 16, that counts for a glyph's box


@dataclass(frozen=True)
class _Placed:
    """Class and box, in px, of one digit on a scene."""

    label: int
    top: int
    left: int
    height: int
    width: int

    def touches(self, other: _Placed) -> bool:
        """Return whether the boxes overlap or lie less than 1 px apart."""
        return (
            self.left <= other.left + other.width
            and other.left <= self.left + self.width
            and self.top <= other.top + other.height
            and other.top <= self.top + self.height
        )


def write_digits(cache: Path, seed: int = 0, scenes: Mapping[str, int] = SCENES, name: str = "digits") -> Path:
    """Write the scenes under `cache` unless they are there, and return their `data.yaml`.

    The folder appears as a whole: it is written aside and renamed, so a kill leaves no half folder, and processes
    that write it at the same moment do not disturb each other.

    Args:
        scenes: Number of scenes of each split: train, val, test.
        name: Name of the set in `BUILT_IN`.
    """
    counts = "-".join(str(scenes[split]) for split in _SHARES)
    folder = cache / f"{name}-{_FORMAT}-{seed}-{counts}"
    kind = BUILT_IN[name]
    write = _write_single if kind.alone else partial(_write_scenes, kind=kind)
    if not _is_whole(folder, scenes, kind):
        if folder.exists() and not _is_whole(folder, scenes, kind):  # else another process has just written it
            delete_folder(folder)
        make_folder(folder, lambda aside: write(aside, seed, scenes))
    return folder / "data.yaml"


def glyphs_of(split: str, seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return glyphs that only this split uses: ink `(N, 8, 8)` in [0, 16], and classes `(N,)`."""
    from sklearn.datasets import load_digits  # two seconds; only needed when the scenes are first written

    digits = load_digits()
    order = np.random.default_rng(seed).permutation(len(digits.target))
    ends = np.cumsum([round(share * len(order)) for share in _SHARES.values()])
    number = list(_SHARES).index(split)
    chosen = order[0 if number == 0 else ends[number - 1] : ends[number]]
    return digits.images[chosen].astype(np.int64), digits.target[chosen].astype(np.int64)


def _write_scenes(folder: Path, seed: int, scenes: Mapping[str, int], kind: DigitSet) -> None:
    for number, split in enumerate(_SHARES):
        images, labels = folder / "images" / split, folder / "labels" / split
        images.mkdir(parents=True)
        labels.mkdir(parents=True)
        rng = np.random.default_rng([seed, number])
        supply = _endless(*glyphs_of(split, seed), rng)
        for scene in range(scenes[split]):
            pixels, drawn = _draw_scene(supply, rng, turned=kind.turned)
            (images / f"{scene:05d}.png").write_bytes(_png(pixels))
            (labels / f"{scene:05d}.txt").write_text(
                "".join(f"{kind.row(digit)}\n" for digit in drawn), encoding="utf-8"
            )
    # No `path` key: Ultralytics then takes the folder of this file, so the data set can be moved.
    definition = {split: f"images/{split}" for split in _SHARES} | {"names": dict(enumerate(CLASSES)), **kind.facts}
    (folder / "data.yaml").write_text(yaml.safe_dump(definition, sort_keys=False), encoding="utf-8")


def _write_single(folder: Path, seed: int, scenes: Mapping[str, int]) -> None:
    """Write images of one digit each, `train/7/00012.png`."""
    for number, split in enumerate(_SHARES):
        rng = np.random.default_rng([seed, number])
        supply = _endless(*glyphs_of(split, seed), rng)
        for name in CLASSES:
            (folder / split / name).mkdir(parents=True)
        for count in range(scenes[split]):
            ink, label = next(supply)
            pixels = _draw_single(ink, rng)
            (folder / split / CLASSES[label] / f"{count:05d}.png").write_bytes(_png(pixels))
    (folder / "data.yaml").write_text(yaml.safe_dump({"names": dict(enumerate(CLASSES))}), encoding="utf-8")


def _draw_single(ink: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return a square image with one glyph somewhere in it."""
    background, noise = int(rng.integers(10, 80)), int(rng.integers(4, 16))
    pixels = background + rng.integers(-noise, noise + 1, size=(SINGLE_PX, SINGLE_PX))
    height = int(rng.integers(_SINGLE_HEIGHTS_PX[0], _SINGLE_HEIGHTS_PX[1] + 1))
    width = min(SINGLE_PX, max(8, height * ink.shape[1] // ink.shape[0]))
    top, left = (int(rng.integers(0, SINGLE_PX - side + 1)) for side in (height, width))
    bright = int(rng.integers(background + 110, 256))
    pixels[top : top + height, left : left + width] += (
        _enlarged(ink, height, width) * (bright - background) // _INK_FULL
    )
    return np.clip(pixels, 0, 255).astype(np.uint8)


def _endless(
    inks: NDArray[np.int64], labels: NDArray[np.int64], rng: np.random.Generator
) -> Iterator[tuple[NDArray[np.int64], int]]:
    """Yield every glyph once in a random order, then again: classes stay balanced."""
    while True:
        for number in rng.permutation(len(labels)):
            yield _cropped(inks[number]), int(labels[number])


def _cropped(ink: NDArray[np.int64]) -> NDArray[np.int64]:
    rows, columns = np.nonzero(ink >= _FAINT)
    return ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def _draw_scene(
    supply: Iterator[tuple[NDArray[np.int64], int]], rng: np.random.Generator, *, turned: bool = False
) -> tuple[NDArray[np.uint8], list[DrawnDigit]]:
    background = int(rng.integers(10, 80))
    noise = int(rng.integers(4, 16))
    pixels = background + rng.integers(-noise, noise + 1, size=(SCENE_PX, SCENE_PX))
    placed: list[_Placed] = []
    drawn: list[DrawnDigit] = []
    for _ in range(int(rng.integers(_PER_SCENE[0], _PER_SCENE[1] + 1))):
        ink, label = next(supply)
        corners = None
        if turned:
            ink, corners = _turned(ink, rng)
        spot = _free_spot(ink, label, placed, rng, own_size=turned)
        if spot is None:
            continue  # the scene is full
        bright = int(rng.integers(background + 110, 256))
        grown = ink if turned else _enlarged(ink, spot.height, spot.width)
        area = pixels[spot.top : spot.top + spot.height, spot.left : spot.left + spot.width]
        area += grown * (bright - background) // _INK_FULL
        placed.append(spot)
        own = np.zeros((4, 2)) if corners is None else corners + np.array([spot.left, spot.top])
        drawn.append(DrawnDigit(label, spot.top, spot.left, grown > _INK_FULL * _STROKE, own, SCENE_PX))
    return np.clip(pixels, 0, 255).astype(np.uint8), drawn


def _turned(ink: NDArray[np.int64], rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return an enlarged glyph that is turned by a random angle, and the corners `(4, 2)` of its box, x and y in px."""
    height = int(rng.integers(_TURNED_HEIGHTS_PX[0], _TURNED_HEIGHTS_PX[1] + 1))
    width = max(8, height * ink.shape[1] // ink.shape[0])
    cosine, sine, whole = _ROTATIONS[int(rng.integers(len(_ROTATIONS)))]
    sine = sine if rng.integers(2) else -sine
    grown = _enlarged(ink, height, width)
    tall = (height * cosine + width * abs(sine)) // whole + 1
    wide = (width * cosine + height * abs(sine)) // whole + 1
    # Twice the distance of each pixel's middle from the centre, turned back; all in whole numbers.
    x, y = np.meshgrid(2 * np.arange(wide) + 1 - wide, 2 * np.arange(tall) + 1 - tall)
    column = ((cosine * x + sine * y) // whole + width) // 2
    row = ((cosine * y - sine * x) // whole + height) // 2
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    turned = np.where(inside, grown[row.clip(0, height - 1), column.clip(0, width - 1)], 0)
    ends = np.array([(-width, -height), (width, -height), (width, height), (-width, height)]) / 2
    placed = ends @ np.array([(cosine, sine), (-sine, cosine)]) / whole + np.array([wide, tall]) / 2
    return turned, placed


def _free_spot(
    ink: NDArray[np.int64], label: int, placed: list[_Placed], rng: np.random.Generator, *, own_size: bool
) -> _Placed | None:
    """Return a place for a glyph, of a random size unless it has its own; None if there is none."""
    for _ in range(_TRIES):
        height = ink.shape[0] if own_size else int(rng.integers(_HEIGHTS_PX[0], _HEIGHTS_PX[1] + 1))
        width = max(8, height * ink.shape[1] // ink.shape[0]) if not own_size else ink.shape[1]
        top = int(rng.integers(0, SCENE_PX - height + 1))
        left = int(rng.integers(0, SCENE_PX - min(width, SCENE_PX) + 1))
        spot = _Placed(label, top, left, height, min(width, SCENE_PX))
        if not any(spot.touches(other) for other in placed):
            return spot
    return None


_INK_FULL = 16 << 8  # full ink after `_enlarged`


def _enlarged(ink: NDArray[np.int64], height: int, width: int) -> NDArray[np.int64]:
    """Return bilinear enlargement in whole numbers (no library's rounding): ink in [0, 16 * 256]."""
    rows, columns = _weights(ink.shape[0], height), _weights(ink.shape[1], width)
    return ((rows @ ink @ columns.T) << 8) // (4 * height * width)


def _weights(source: int, target: int) -> NDArray[np.int64]:
    """Return interpolation weights `(target, source)`, in units of 1 / (2 * target)."""
    weights = np.zeros((target, source), dtype=np.int64)
    for pixel in range(target):
        position = min(max(0, (2 * pixel + 1) * source - target), 2 * target * (source - 1))
        first, rest = divmod(position, 2 * target)
        weights[pixel, first] += 2 * target - rest
        weights[pixel, min(first + 1, source - 1)] += rest
    return weights


def _png(pixels: NDArray[np.uint8]) -> bytes:
    """Return an 8-bit grey PNG without compression: its bytes do not depend on the zlib that is installed."""
    height, width = pixels.shape
    raw = b"".join(b"\0" + row.tobytes() for row in pixels)  # each row begins with its filter, 0 for none
    stored = b"\x78\x01\x01" + struct.pack("<HH", len(raw), len(raw) ^ 0xFFFF) + raw  # one block: 64 KiB at most
    stored += struct.pack(">I", zlib.adler32(raw))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", stored) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _is_whole(folder: Path, scenes: Mapping[str, int], kind: DigitSet) -> bool:
    """Return whether no file is missing: some machines clean folders for temporary files one file at a time."""
    if not (folder / "data.yaml").is_file():
        return False
    if kind.alone:
        return all(len(list((folder / split).glob("*/*.png"))) == count for split, count in scenes.items())
    folders = [(folder / each / split, count) for each in ("images", "labels") for split, count in scenes.items()]
    return all(path.is_dir() and len(os.listdir(path)) == count for path, count in folders)
