"""The look of an image, by which near-duplicates are found: the same picture saved again, resized or brightened.

The image is reduced to 9 x 8 grey cells. Each pair of neighbours in a row says whether the right one is brighter or
darker: clearly (STRONG), at least a little (WEAK), or neither. Two images are near-duplicates if what is clear in one
is at least weak in the other. So cells that lie near a threshold do not count, and neither do even surfaces.

Measured: the same image as JPEG of quality 30, at half the size, brighter or with noise differs in 0 to 1 places, cut
by 1 % in 0 to 4; the nearest pairs of different images in 7 or more (built-in digits 13, playing cards 8).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

STRONG, WEAK = 3.0, 1.0
"""Differences of grey levels, of 255."""
MOST_DIFFERENT = 2
"""Maximum number of places in which near-duplicates differ."""
LEAST_CLEAR = 8
"""Minimum number of clear places of an image that is compared; a blank wall resembles every other."""
MOST_COMPARED = 1_000_000_000
"""Maximum number of pairs that are compared (about 15 s); of larger data sets, an even share of the other split."""
_CHUNK_PAIRS = 4_000_000
_SMALL = (288, 256)

Look = NDArray[np.uint64]


def look_of(pixels: NDArray[np.uint8]) -> str:
    """Return the look of an image in BGR as 64 hexadecimal digits; empty if too little is clear in it."""
    if pixels.shape[0] > _SMALL[1] and pixels.shape[1] > _SMALL[0]:  # grey levels of a large image would take 400 MB
        pixels = cv2.resize(pixels, _SMALL, interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY).astype(np.float32)
    cells = cv2.resize(grey, (9, 8), interpolation=cv2.INTER_AREA)
    rises = cells[:, 1:] - cells[:, :-1]
    if (np.abs(rises) >= STRONG).sum() < LEAST_CLEAR:
        return ""
    signs = (rises >= STRONG, rises <= -STRONG, rises >= WEAK, rises <= -WEAK)
    return b"".join(np.packbits(each).tobytes() for each in signs).hex()


def near_duplicates(train: Sequence[str], others: Sequence[str]) -> Mapping[int, int]:
    """Return which of the other images are near-duplicates of images of train.

    Args:
        train: Looks of images; an empty one is never alike.
        others: Looks of the images of another split.

    Returns:
        For each of the others that has one, by its number: the number of the nearest image of train.
    """
    known, here = _numbered(train), _numbered(others)
    if not known or not here:
        return {}
    step = -(-len(known) * len(here) // MOST_COMPARED)
    here = here[::step]
    rows = _parsed([train[number] for number in known])
    found: dict[int, int] = {}
    size = max(1, _CHUNK_PAIRS // len(known))
    for begin in range(0, len(here), size):
        part = here[begin : begin + size]
        differing = _differences(_parsed([others[number] for number in part]), rows)
        nearest = differing.argmin(axis=1)
        for number, column, least in zip(part, nearest, differing.min(axis=1), strict=True):
            if least <= MOST_DIFFERENT:
                found[number] = known[int(column)]
    return found


def _numbered(looks: Sequence[str]) -> list[int]:
    return [number for number, look in enumerate(looks) if look]


def _parsed(looks: Sequence[str]) -> Look:
    """Return looks as `(4, N)`: clear rises, clear falls, weak rises, weak falls."""
    return np.frombuffer(bytes.fromhex("".join(looks)), dtype=np.uint64).reshape(-1, 4).T


def _differences(first: Look, second: Look) -> NDArray[np.uint8]:
    """Return the number of places in which each look differs from each of the others."""
    total = np.zeros((first.shape[1], second.shape[1]), dtype=np.uint8)
    for clear, weak in ((0, 2), (1, 3)):
        total += np.bitwise_count(first[clear][:, None] & ~second[weak][None])
        total += np.bitwise_count(second[clear][None] & ~first[weak][:, None])
    return total
