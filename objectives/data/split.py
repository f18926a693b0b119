"""One split of a data set: its images and their label files; and the part of a data set that a study uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SINGLE_CLASS = "item"
"""Name of the one class that all labels are of, as Ultralytics calls it."""


@dataclass(frozen=True)
class Split:
    """Images of one split with their label files; None instead of a label file for a background image."""

    name: str
    images: tuple[Path, ...]
    labels: tuple[Path | None, ...]


@dataclass(frozen=True)
class Selection:
    """Part of a data set that is used, by the arguments of Ultralytics' training of these names.

    Attributes:
        classes: Numbers of the classes whose labels count; None for all. Images without such a label are background.
        single_cls: True if all labels are taken as labels of one class.
        fraction: Share of train's images, above 0 and at most 1: the first ones.
    """

    classes: tuple[int, ...] | None = None
    single_cls: bool = False
    fraction: float = 1.0

    def of(self, split: Split) -> Split:
        """Return the images of a split that are used, with their label files."""
        count = max(1, round(len(split.images) * self.fraction))
        return Split(split.name, split.images[:count], split.labels[:count]) if split.name == "train" else split

    def names(self, classes: Sequence[str]) -> tuple[str, ...]:
        """Return the class names of the data as it is used. Numbers stay: classes that do not count have no labels."""
        return (SINGLE_CLASS,) if self.single_cls else tuple(classes)

    def has(self, numbers: Sequence[int]) -> bool:
        """Return whether a label file with labels of these classes has one that counts."""
        return bool(numbers) and (self.classes is None or not set(self.classes).isdisjoint(numbers))


WHOLE = Selection()
"""All of a data set."""
