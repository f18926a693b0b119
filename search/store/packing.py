"""Compact and exact storage: architectures as bit masks, curves as doubles, raw times as JSON, compressed."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from objectives.base import Curves
from spaces.base import ArchSpec


def pack_masks(spec: ArchSpec) -> bytes:
    """Return one bit mask for each group, padded to whole bytes."""
    parts = []
    for width, kept in zip(spec.widths, spec.kept, strict=True):
        mask = np.zeros(width, dtype=bool)
        mask[list(kept)] = True
        parts.append(np.packbits(mask).tobytes())
    return b"".join(parts)


def unpack_masks(
    packed: bytes, parent: str, groups: Sequence[str], widths: Sequence[int], dropped: Sequence[str]
) -> ArchSpec:
    """Return the spec whose masks these are, without the bottlenecks of these names."""
    begins = _first_bits(tuple(widths))
    bits = np.flatnonzero(np.unpackbits(np.frombuffer(packed, dtype=np.uint8)))
    ends = np.searchsorted(bits, begins)
    channels = (bits - np.repeat(begins[:-1], np.diff(ends))).tolist()
    kept = tuple(tuple(channels[first:last]) for first, last in pairwise(ends.tolist()))
    return ArchSpec(parent, tuple(groups), tuple(widths), kept, tuple(dropped))


@lru_cache
def _first_bits(widths: tuple[int, ...]) -> NDArray[np.int64]:
    """Return the first bit of each group's mask, and the end of the last one, shape (G + 1,)."""
    return np.cumsum([0, *(8 * ((width + 7) // 8) for width in widths)])


def layout_key(spec: ArchSpec) -> str:
    """Hash of the parent, its groups and their widths."""
    return hashlib.sha256(json.dumps([spec.parent, spec.groups, spec.widths]).encode()).hexdigest()[:32]


def pack_curves(curves: Curves) -> bytes:
    """Return four rows of little-endian doubles, (4, N), their bytes grouped by significance so that they compress."""
    rows = np.array([curves.confidence, curves.precision, curves.recall, curves.f1], dtype="<f8")
    if not np.isfinite(rows).all():
        raise ValueError("a curve holds NaN or infinity; only finite values are recorded")
    return zlib.compress(rows.view(np.uint8).reshape(-1, 8).T.tobytes(), 6)


def unpack_curves(packed: bytes) -> Curves:
    """Return the curves, digit for digit."""
    planes = np.frombuffer(zlib.decompress(packed), dtype=np.uint8).reshape(8, -1)
    rows = np.ascontiguousarray(planes.T).view("<f8").reshape(4, -1)
    return Curves(*(tuple(row.tolist()) for row in rows))


def pack_plain(plain: Mapping[str, Any]) -> bytes:
    """Return plain values as compressed JSON, figures digit for digit.

    Raises:
        ValueError: If a figure is not finite.
    """
    return zlib.compress(json.dumps(plain, separators=(",", ":"), allow_nan=False).encode(), 6)


def unpack_plain(packed: bytes) -> dict[str, Any]:
    """Return the plain values; tuples come back as lists."""
    plain: dict[str, Any] = json.loads(zlib.decompress(packed))
    return plain
