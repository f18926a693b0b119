"""The picture of `benchmarks.by_hand`: accuracy against latency, of what was made by hand and of what was found."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import matplotlib

matplotlib.use("Agg")  # no display is needed, or looked for

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from search.record.latency_text import LATENCY
from search.record.trial import TrialRecord
from search.study.rows import BEST_F1
from spaces.display.charts import BLUE, INK, quiet

HAND, GREEN = "#D55E00", "#009E73"


def front_picture(
    parent: TrialRecord, hand: Sequence[TrialRecord], searched: Mapping[str, Sequence[TrialRecord]]
) -> bytes:
    """As PNG. Rows by hand carry their names; the epochs of best F1 are left out, they lie beside the best mAP.

    Args:
        searched: By study.
    """
    figure = Figure(figsize=(8, 5), dpi=130, layout="constrained")
    axes = figure.subplots()
    named = list({row.name: row for row in hand if not row.name.endswith(BEST_F1)}.values())
    for (study, rows), colour in zip(searched.items(), (BLUE, GREEN), strict=False):
        _points(axes, rows, f"searched, {study}", colour, "o")
    _points(axes, named, "by hand", HAND, "s")
    _points(axes, [parent], "the parent", INK, "D")
    for number, row in enumerate(sorted((parent, *named), key=_place)):
        beside = (6, 4) if number % 2 else (6, -11)
        axes.annotate(row.name, _place(row), xytext=beside, textcoords="offset points", fontsize=7, color=INK)
    axes.set_xscale("log")
    axes.set_xlabel("latency, ms")
    axes.set_ylabel("mAP50-95, val")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("{x:g}")
    axes.tick_params(axis="x", which="minor", labelsize=7)
    quiet(axes)
    axes.legend(frameon=False, loc="lower right")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _points(axes: Axes, rows: Sequence[TrialRecord], label: str, colour: str, marker: str) -> None:
    places = [_place(row) for row in rows]
    axes.scatter(
        [x for x, _ in places], [y for _, y in places], label=label, color=colour, marker=marker, s=34, alpha=0.85
    )


def _place(row: TrialRecord) -> tuple[float, float]:
    return row.value(LATENCY) or 0.0, row.value("map50_95") or 0.0
