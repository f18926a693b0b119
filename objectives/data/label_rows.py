"""Rows of a label file, read as Ultralytics reads them. What it would drop without a word is reported or counted.

Accepted beyond Ultralytics, each counted: polygons among boxes, a sixth column, text in UTF-16, rows without size
(which Ultralytics keeps, and which no network can find). Boxes that reach out of the image by rounding end at its
border.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from objectives.data.yaml_text import decoded
from objectives.tasks.label_form import BOX_ROWS, LabelForm, Points
from spaces.shown import shown

PROBLEMS_SHOWN = 10
"""Maximum number of rows of one file that are reported."""
TOLERANCE = 0.01
"""Ultralytics takes coordinates in [-0.01, 1.01]."""
_ROUNDING = 1e-6  # half a unit of the sixth decimal, of the centre and of half the size

POLYGON, SIXTH, NO_SIZE, CLIPPED, OUTSIDE = "polygon", "sixth column", "no size", "clipped", "outside"
ODDITIES: Mapping[str, str] = {
    POLYGON: "polygons in place of boxes; the boxes around them count",
    SIXTH: "rows with a sixth column (a confidence or a track); it is not read",
    NO_SIZE: "rows without width or height; they are left out",
    CLIPPED: "boxes that reach out of the image by at most 1 %; they end at its border",
    OUTSIDE: "boxes that reach out of the image by more than 1 %; they are taken as they are, as in Ultralytics",
}
"""Kinds of unusual rows that are accepted, each with the words of its warning."""


@dataclass(frozen=True)
class LabelRows:
    """Content of a label file.

    Attributes:
        boxes: Class, and centre x, y, width, height as shares of the image: `(N, 5)`, without repeated rows.
        repeated: Number of rows that repeat an earlier one.
        problems: One line for each wrong row: `:line: what is wrong`.
        odd: Number of rows of each kind in `ODDITIES`.
        points: For each box the outline, the corners or the keypoints of its object; empty where boxes are all.
    """

    boxes: NDArray[np.float32]
    repeated: int = 0
    problems: tuple[str, ...] = ()
    odd: Mapping[str, int] = field(default_factory=dict)
    points: tuple[Points, ...] = ()


def parse_labels(content: bytes, classes: int, form: LabelForm = BOX_ROWS) -> LabelRows:
    """Parse a label file's bytes."""
    try:
        text, guessed = decoded(content)
        if guessed:
            content.decode("utf-8")
    except UnicodeDecodeError as error:
        return LabelRows(_boxes([]), 0, (f": not a text file (byte {error.start} is not UTF-8)",))
    rows: list[tuple[float, ...]] = []
    problems: list[str] = []
    odd: Counter[str] = Counter()
    for number, line in enumerate(text.splitlines(), start=1):
        columns = line.split()
        if not columns:
            continue
        row, problem = _row(columns, classes, form)
        if problem is not None:
            problems.append(f":{number}: {problem}")
            if len(problems) == PROBLEMS_SHOWN:
                break
            continue
        if form.takes_others:
            odd.update({POLYGON: len(columns) > 6, SIXTH: len(columns) == 6})
        rows.append(row)
    distinct = list(dict.fromkeys(rows))
    found = [(box, form.points(row)) for row in distinct if (box := _box(form.outline(row), odd)) is not None]
    points = tuple(each for _, each in found if each is not None)
    counted = {kind: n for kind, n in odd.items() if n}
    return LabelRows(_boxes(box for box, _ in found), len(rows) - len(distinct), tuple(problems), counted, points)


def _row(columns: Sequence[str], classes: int, form: LabelForm) -> tuple[tuple[float, ...], str | None]:
    """Return the numbers of one row, and its problem if there is one."""
    if (problem := form.wrong_columns(len(columns))) is not None:
        return (), problem
    columns = form.columns(columns)
    try:
        row = tuple(_number(column) for column in columns)
    except ValueError:
        wrong = next(column for column in columns if not _is_number(column))
        return (), f"'{shown(wrong)[:40]}' is not a finite number"
    if row[0] != int(row[0]) or not 0 <= row[0] < classes:
        return (), f"class {shown(columns[0])[:40]} is out of range; the data set has classes 0 to {classes - 1}"
    outside = [columns[place] for place in form.coordinates(len(row)) if not _in_range(row[place])]
    if outside:
        return (
            (),
            f"coordinate {shown(outside[0])[:40]} is out of range; coordinates are shares of the image, in [0, 1]",
        )
    outline = form.outline(row)
    if len(outline) == 5 and min(row[3:5]) < 0:
        return (), f"a box of size {row[3]:g} x {row[4]:g}; width and height must be above 0"
    return row, None


def _number(text: str) -> float:
    value = float(text)
    if "_" in text or not math.isfinite(value):
        raise ValueError(text)
    return value


def _is_number(text: str) -> bool:
    try:
        _number(text)
    except ValueError:
        return False
    return True


def _in_range(value: float) -> bool:
    return -TOLERANCE <= value <= 1 + TOLERANCE


def _box(row: tuple[float, ...], odd: Counter[str]) -> tuple[float, ...] | None:
    """Return the box of a row, and count what is odd about it; None if it has no size."""
    number, left, top, right, bottom = _corners(row)
    if right <= left or bottom <= top or min(right, bottom) <= 0 or max(left, top) >= 1:
        odd[NO_SIZE] += 1
        return None
    beyond = max(-left, -top, right - 1, bottom - 1)
    if beyond > TOLERANCE:
        odd[OUTSIDE] += 1
    elif beyond > 0:
        odd[CLIPPED] += beyond > _ROUNDING
        left, top, right, bottom = max(0.0, left), max(0.0, top), min(1.0, right), min(1.0, bottom)
    elif len(row) == 5:
        return row
    return number, (left + right) / 2, (top + bottom) / 2, right - left, bottom - top


def _corners(row: tuple[float, ...]) -> tuple[float, float, float, float, float]:
    """Return class, left, top, right and bottom of a box, or of the box around a polygon."""
    if len(row) > 5:
        xs, ys = row[1::2], row[2::2]
        return row[0], min(xs), min(ys), max(xs), max(ys)
    number, x, y, width, height = row
    return number, x - width / 2, y - height / 2, x + width / 2, y + height / 2


def _boxes(rows: Iterable[tuple[float, ...]]) -> NDArray[np.float32]:
    return np.array(list(rows), dtype=np.float32).reshape(-1, 5)
