"""Confusion matrices as cells to draw, and the mistakes in which two networks differ most."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from search.pages.example_pictures import Confusion

MOST_CLASSES = 20
"""Maximum number of classes that are drawn: those with the most mistakes; all others together are one more."""
MOST_DIFFERENCES = 8
"""Maximum number of mistakes in the list."""
LABEL_WIDTH = 14
"""Maximum width of a class name in the drawing, in Latin letters; East Asian ones are twice as wide."""
SIDES_PX = ((4, 46), (9, 36), (14, 30), (math.inf, 22))
"""Length of a cell's side, by the maximum number of cells in a row."""
LETTER_PX = 6.9
GAP_PX = 5
"""Distance of the last row and the last column, which are no classes, from the others."""
AXIS_PX = 18
"""Width of the line that holds the title of an axis."""
NOT_FOUND = "not found"
NOT_LABELLED = "not labelled"

Matrix = NDArray[np.int64]


@dataclass(frozen=True)
class Cell:
    """A cell that is not empty.

    Attributes:
        left: Left edge in px; `top` likewise.
        text: The number, such as `1.2k`.
        told: What it counts, as a sentence.
        kind: Whether it counts what is right, what is wrong, or both.
        strength: Opacity of its colour, 0 to 1.
    """

    left: float
    top: float
    text: str
    told: str
    kind: Literal["right", "wrong", "rest"]
    strength: float


@dataclass(frozen=True)
class AxisLabel:
    """Name of a row or column: where its middle is in px, the shortened name, and the whole one."""

    middle: float
    text: str
    whole: str


@dataclass(frozen=True)
class DrawnMatrix:
    """The matrix of one network."""

    name: str
    sentence: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class MistakeCounts:
    """A mistake that the networks make differently often: the labelled class, the class it is found as, the counts."""

    labelled: str
    found: str
    counts: tuple[int, ...]


@dataclass(frozen=True)
class ConfusionDrawing:
    """All that the report shows of confusion matrices.

    Attributes:
        side: Length of a cell's side in px.
        gutter: Width in px of the names at the left, and height of those at the top.
        size: Width and height of a drawing in px.
        left_out: Number of classes that are drawn as one.
    """

    rows: tuple[AxisLabel, ...]
    columns: tuple[AxisLabel, ...]
    side: float
    gutter: float
    size: float
    matrices: tuple[DrawnMatrix, ...]
    differences: tuple[MistakeCounts, ...]
    left_out: int


def draw_confusion(confusion: Confusion, names: Sequence[str]) -> ConfusionDrawing:
    """Return the drawing of confusion matrices.

    Args:
        names: Names of the networks, in the order of the matrices.
    """
    whole = [np.array(matrix, dtype=np.int64) for matrix in confusion.counts]
    classes = list(confusion.classes)
    kept = _kept(whole, len(classes))
    left_out = len(classes) - len(kept)
    shown = [classes[number] for number in kept] + ([f"{left_out} others"] if left_out else [])
    ends = ([NOT_FOUND], [NOT_LABELLED]) if confusion.has_boxes else ([], [])
    rows, columns = shown + ends[0], shown + ends[1]
    side = next(px for most, px in SIDES_PX if len(rows) <= most)
    gutter = AXIS_PX + 8 + LETTER_PX * max(_width(_short(name)) for name in {*rows, *columns})
    places = [gutter + number * side + GAP_PX * (number == len(shown)) for number in range(len(rows))]
    what = ("box", "boxes") if confusion.has_boxes else ("picture", "pictures")
    drawn = [
        DrawnMatrix(
            name,
            _sentence(matrix, len(classes), what[1]),
            _cells(_merged(matrix, kept, len(classes)), rows, places, len(shown), what, left_out=left_out),
        )
        for name, matrix in zip(names, whole, strict=True)
    ]
    return ConfusionDrawing(
        rows=_labels(rows, places, side),
        columns=_labels(columns, places, side),
        side=side,
        gutter=gutter,
        size=places[-1] + side + 2,
        matrices=tuple(drawn),
        differences=_differences(whole, classes + ends[0], classes + ends[1]),
        left_out=left_out,
    )


def _kept(matrices: Sequence[Matrix], classes: int) -> list[int]:
    """Return the numbers of the classes that are drawn, in their order."""
    if classes <= MOST_CLASSES:
        return list(range(classes))
    wrong = sum((matrix - np.diag(np.diag(matrix)) for matrix in matrices), np.zeros_like(matrices[0]))
    mistakes = (wrong.sum(0) + wrong.sum(1))[:classes]
    return sorted(np.argsort(-mistakes, kind="stable")[:MOST_CLASSES].tolist())


def _merged(matrix: Matrix, kept: Sequence[int], classes: int) -> Matrix:
    """Return a matrix whose classes that are not kept are one row and one column, after the kept ones."""
    if len(kept) == classes:
        return matrix
    place = np.full(len(matrix), len(kept))
    place[list(kept)] = range(len(kept))
    place[classes:] = len(kept) + 1
    size = len(kept) + 1 + len(matrix) - classes
    merged = np.zeros((size, size), dtype=np.int64)
    np.add.at(merged, (place[:, None], place[None, :]), matrix)
    return merged


def _cells(
    matrix: Matrix, rows: Sequence[str], places: Sequence[float], classes: int, what: tuple[str, str], *, left_out: int
) -> tuple[Cell, ...]:
    labelled, found = matrix.sum(0), matrix.sum(1)
    cells = []
    for row, column in zip(*np.nonzero(matrix), strict=True):
        count, is_labelled = int(matrix[row, column]), column < classes
        share = count / (labelled[column] if is_labelled else found[row])
        if not is_labelled:
            told = f"{count} of {found[row]} {what[1]} found as {rows[row]} are where nothing is labelled"
        else:
            found_as = rows[row] if row >= classes else f"found as {rows[row]}"
            of = f"{count} of {labelled[column]} {what[1]} labelled {rows[column]}"
            told = f"{of} {'are' if row >= classes else 'were'} {found_as}"
        is_rest = bool(left_out) and row == column == classes - 1
        kind: Literal["right", "wrong", "rest"] = "rest" if is_rest else "right" if row == column else "wrong"
        strength = 0.08 + 0.4 * (share if kind == "right" else math.sqrt(share))  # few mistakes are seen, too
        cells.append(Cell(places[column], places[row], _count_text(count), told, kind, round(strength, 2)))
    return tuple(cells)


def _sentence(matrix: Matrix, classes: int, what: str) -> str:
    """Return the shares of a whole matrix in words."""
    labelled, right = int(matrix[:, :classes].sum()), int(np.trace(matrix[:classes, :classes]))
    other = int(matrix[:classes, :classes].sum()) - right
    words = f"of {labelled} labelled {what}, {right} found as their class, {other} as another"
    if len(matrix) == classes:
        return words
    missed, invented = labelled - right - other, int(matrix[:, classes].sum())
    return f"{words}, {missed} not found; {invented} found where nothing is labelled"


def _differences(matrices: Sequence[Matrix], rows: Sequence[str], columns: Sequence[str]) -> tuple[MistakeCounts, ...]:
    """Return the mistakes whose numbers differ, those that differ most first."""
    stacked = np.stack(matrices)
    spread = stacked.max(0) - stacked.min(0)
    np.fill_diagonal(spread, 0)
    order = np.argsort(-spread, axis=None, kind="stable")[:MOST_DIFFERENCES]
    places = [divmod(int(each), len(rows)) for each in order if spread.flat[each]]
    return tuple(
        MistakeCounts(columns[column], rows[row], tuple(stacked[:, row, column].tolist())) for row, column in places
    )


def _labels(names: Sequence[str], places: Sequence[float], side: float) -> tuple[AxisLabel, ...]:
    return tuple(AxisLabel(place + side / 2, _short(name), name) for name, place in zip(names, places, strict=True))


def _short(name: str) -> str:
    """Return a name that is at most `LABEL_WIDTH` wide."""
    if _width(name) <= LABEL_WIDTH:
        return name
    kept = name
    while _width(kept) > LABEL_WIDTH - 1:
        kept = kept[:-1]
    return f"{kept.rstrip()}…"


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)


def _count_text(count: int) -> str:
    """Return a number in at most four characters: `980`, `1.2k`, `31k`, `2.4M`."""
    for unit, name in ((1_000_000, "M"), (1_000, "k")):
        if count >= unit:
            return f"{count / unit:.1f}{name}" if count < 9.95 * unit else f"{count // unit}{name}"
    return str(count)
