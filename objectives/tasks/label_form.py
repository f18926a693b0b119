"""Forms of label rows: the numbers after the class, and what Ultralytics' data set gets of them.

A row has a class and a box in every form. Its further numbers are the object's outline, corners or keypoints.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]
"""Points of one object as shares of the image: (N, 2), or with a third number that says whether each is visible."""
_LEAST_POINTS = 3


class LabelForm(ABC):
    """Form of the rows of a label file.

    Attributes:
        takes_others: Whether rows of other forms are read as boxes too, and counted as unusual.
    """

    takes_others: ClassVar[bool] = False

    @abstractmethod
    def wrong_columns(self, count: int) -> str | None:
        """Return what is wrong with a row of that many columns, the class among them; None if nothing is."""

    def columns(self, columns: Sequence[str]) -> Sequence[str]:
        """Return the columns that are read."""
        return columns

    def coordinates(self, count: int) -> Sequence[int]:
        """Return the places of coordinates and sizes, which are shares of the image, in a row of that many numbers."""
        return range(1, count)

    def outline(self, row: tuple[float, ...]) -> tuple[float, ...]:
        """Return class and box of a row, or class and the points that its box goes around."""
        return row

    def points(self, row: tuple[float, ...]) -> Points | None:
        """Return the points of a row; None if its box is all that counts."""
        return np.array(row[1:], dtype=np.float32).reshape(-1, 2)

    def as_ultralytics(self, points: Sequence[Points]) -> dict[str, Any]:
        """Return the entries of an image's label that Ultralytics' data set expects beside class and box."""
        return {"segments": list(points), "keypoints": None}


@final
@dataclass(frozen=True)
class BoxRows(LabelForm):
    """Boxes: class, centre x, y, width, height. Polygons and a sixth column are read as in `objectives.data`."""

    takes_others: ClassVar[bool] = True

    def wrong_columns(self, count: int) -> str | None:
        """See `LabelForm`."""
        if count in (5, 6) or (count >= 1 + 2 * _LEAST_POINTS and count % 2):
            return None
        return f"{count} columns; a detection label has 5 (class x y width height), or a class and at least 3 points"

    def columns(self, columns: Sequence[str]) -> Sequence[str]:
        """Return all columns of a polygon, and five of a box."""
        return columns[:5] if len(columns) == 6 else columns

    def points(self, row: tuple[float, ...]) -> Points | None:
        """Return None: a polygon stands for its box."""
        return None

    def as_ultralytics(self, points: Sequence[Points]) -> dict[str, Any]:
        """See `LabelForm`."""
        return {"segments": [], "keypoints": None}


BOX_ROWS = BoxRows()
"""The form of most data sets."""


@final
@dataclass(frozen=True)
class PolygonRows(LabelForm):
    """Outlines: class, then the x and y of at least 3 points."""

    def wrong_columns(self, count: int) -> str | None:
        """See `LabelForm`."""
        if count >= 1 + 2 * _LEAST_POINTS and count % 2:
            return None
        return f"{count} columns; a segmentation label has a class and at least 3 points (x y)"


@final
@dataclass(frozen=True)
class CornerRows(LabelForm):
    """Oriented boxes: class, then the x and y of the 4 corners."""

    def wrong_columns(self, count: int) -> str | None:
        """See `LabelForm`."""
        return None if count == 9 else f"{count} columns; the label of an oriented box has 9 (class and 4 corners, x y)"


@final
@dataclass(frozen=True)
class KeypointRows(LabelForm):
    """Poses: class, box, then the numbers of each keypoint.

    Attributes:
        keypoints: Number of keypoints of an object.
        numbers: Numbers of each: x and y, or also whether it is visible (0 to 2).
    """

    keypoints: int
    numbers: int

    def wrong_columns(self, count: int) -> str | None:
        """See `LabelForm`."""
        right = 5 + self.keypoints * self.numbers
        if count == right:
            return None
        return f"{count} columns; a pose label has {right} (class x y width height, {self.keypoints} x {self.numbers})"

    def coordinates(self, count: int) -> Sequence[int]:
        """Return the places of the box, and of x and y of each keypoint."""
        starts = range(5, count, self.numbers)
        return [*range(1, 5), *(place for start in starts for place in (start, start + 1))]

    def outline(self, row: tuple[float, ...]) -> tuple[float, ...]:
        """Return class and box of a row."""
        return row[:5]

    def points(self, row: tuple[float, ...]) -> Points | None:
        """Return the keypoints, (N, 3); where visibility is not given, a point at a negative place is not visible."""
        points = np.array(row[5:], dtype=np.float32).reshape(self.keypoints, self.numbers)
        if self.numbers == 2:
            seen = (points >= 0).all(1, keepdims=True).astype(np.float32)
            points = np.concatenate((points, seen), 1)
        return points

    def as_ultralytics(self, points: Sequence[Points]) -> dict[str, Any]:
        """See `LabelForm`."""
        shape = (len(points), self.keypoints, 3)
        return {"segments": [], "keypoints": np.array(points, dtype=np.float32).reshape(shape)}
