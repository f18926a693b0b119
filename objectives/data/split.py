"""One split of a data set: its images and their label files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Split:
    """Images of one split with their label files; None instead of a label file for a background image."""

    name: str
    images: tuple[Path, ...]
    labels: tuple[Path | None, ...]
