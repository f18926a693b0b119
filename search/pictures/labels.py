"""Names beside points of a plot, placed so that they cover neither each other nor a point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from spaces.shown import picture_text

FONT_POINTS = 8
LETTER_POINTS = 4.9
"""Mean width of a letter at that size, rounded up."""
ABOVE = ((-6, 4, "right"), (7, -11, "left"), (7, 4, "left"), (-6, -11, "right"))
BELOW = ((7, -11, "left"), (-6, -11, "right"), (7, 4, "left"), (-6, 4, "right"))
"""Allowed positions of a name, best first: offset from its point in points, and the side that it is aligned to."""


@dataclass(frozen=True)
class Label:
    """A name and its point in data coordinates. `above` is for members of the front: no point lies above them."""

    text: str
    x: float
    y: float
    above: bool


def place_labels(
    figure: Figure, axes: Axes, labels: Sequence[Label], points: Sequence[tuple[float, float]], colour: str
) -> None:
    """Write the labels in order, each at its first free position; a label without one is left out.

    Args:
        figure: This call computes its layout, because data coordinates must be final.
        axes: Axes to write on.
        labels: Most important first.
        points: All points of the plot in data coordinates; no name covers one.
        colour: Colour of the text.
    """
    figure.draw_without_rendering()
    scale = figure.dpi / 72  # pixels per point
    taken = [_around(axes.transData.transform(point), 4 * scale) for point in points]
    inside = axes.get_window_extent()
    for label in labels:
        at = axes.transData.transform((label.x, label.y))
        for dx, dy, side in ABOVE if label.above else BELOW:
            box = _box(label.text, at[0] + dx * scale, at[1] + dy * scale, side, scale)
            if box.x0 < inside.x0 or box.x1 > inside.x1 or box.count_overlaps(taken):
                continue
            written = axes.annotate(
                picture_text(label.text), (label.x, label.y), xytext=(dx, dy), textcoords="offset points", ha=side,
                color=colour, fontsize=FONT_POINTS, zorder=5,
            )  # fmt: skip
            written.set_in_layout(False)  # the layout measured above must not change
            taken.append(box)
            break


def _around(centre: npt.NDArray[np.float64], reach: float) -> Bbox:
    return Bbox.from_extents(centre[0] - reach, centre[1] - reach, centre[0] + reach, centre[1] + reach)


def _box(text: str, x: float, y: float, side: str, scale: float) -> Bbox:
    width, height = len(text) * LETTER_POINTS * scale, FONT_POINTS * scale
    left = x - width if side == "right" else x
    return Bbox.from_extents(left, y, left + width, y + height)
