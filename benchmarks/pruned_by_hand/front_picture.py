"""The picture of `benchmarks.by_hand`: accuracy against latency of networks made by hand and of searched ones."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import matplotlib

matplotlib.use("Agg")  # no display is needed

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from search.record.latency_text import LATENCY
from search.record.trial import TrialRecord
from search.study.rows import BEST_F1
from spaces.display.charts import BLUE, INK, simplify_axes

HAND_COLOUR, SECOND_SEARCH_COLOUR = "#D55E00", "#009E73"


def draw_front(
    parent: TrialRecord, hand: Sequence[TrialRecord], searched: Mapping[str, Sequence[TrialRecord]]
) -> bytes:
    """Return the picture as PNG; parent and networks by hand have labels.

    Rows of the best F1 are left out, because they are near those of the best mAP.

    Args:
        searched: Networks of each search by the name of its study.
    """
    figure = Figure(figsize=(8, 5), dpi=130, layout="constrained")
    axes = figure.subplots()
    named = list({row.name: row for row in hand if not row.name.endswith(BEST_F1)}.values())
    for (study, rows), colour in zip(searched.items(), (BLUE, SECOND_SEARCH_COLOUR), strict=False):
        _scatter(axes, rows, f"searched, {study}", colour, "o")
    _scatter(axes, named, "by hand", HAND_COLOUR, "s")
    _scatter(axes, [parent], "the parent", INK, "D")
    for number, row in enumerate(sorted((parent, *named), key=_point)):
        offset = (6, 4) if number % 2 else (6, -11)
        axes.annotate(row.name, _point(row), xytext=offset, textcoords="offset points", fontsize=7, color=INK)
    axes.set_xscale("log")
    axes.set_xlabel("latency, ms")
    axes.set_ylabel("mAP50-95, val")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("{x:g}")
    axes.tick_params(axis="x", which="minor", labelsize=7)
    simplify_axes(axes)
    axes.legend(frameon=False, loc="lower right")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _scatter(axes: Axes, rows: Sequence[TrialRecord], label: str, colour: str, marker: str) -> None:
    points = [_point(row) for row in rows]
    axes.scatter(
        [x for x, _ in points], [y for _, y in points], label=label, color=colour, marker=marker, s=34, alpha=0.85
    )


def _point(row: TrialRecord) -> tuple[float, float]:
    return row.value(LATENCY) or 0.0, row.value("map50_95") or 0.0
