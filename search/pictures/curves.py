"""Curves of several records laid over each other, as PNG: accuracy against confidence, learning curves, sizes."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

import matplotlib

matplotlib.use("Agg")  # no display is needed, or looked for

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from objectives.base import Curves, EpochResult
from search.record.number_text import significant
from search.record.trial import TrialRecord
from spaces.display.charts import BLUE, INK, quiet

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#30343B", "#B8A300")
DASHES = ("-", (0, (5, 2)), (0, (1, 1.4)))
MOST = len(COLOURS) * len(DASHES)
"""Records that can be told apart in one picture."""

SPIKE = 4
"""Times the usual loss: then its axis ends below the greatest."""


def confidence_picture(records: Sequence[TrialRecord], split: str = "val") -> bytes | None:
    """Precision, recall and F1 against confidence, and precision against recall; None where no record has curves.

    Args:
        records: At most `MOST`.
    """
    found = [
        (record.name, evaluation.curves)
        for record in records
        if (evaluation := record.evaluation(split)) is not None and evaluation.curves is not None
    ]
    if not found:
        return None
    figure = Figure(figsize=(11, 7.6), dpi=130, layout="constrained")
    panels = figure.subplots(2, 2)
    kinds = (("precision", "confidence"), ("recall", "confidence"), ("f1", "confidence"), ("precision", "recall"))
    for panel, (upward, across) in zip(panels.flat, kinds, strict=True):
        for number, (name, curves) in enumerate(found):
            x, y = _seen(curves, across, upward)
            panel.plot(x, y, label=name, **_look(number))
        _named(panel, across, upward.replace("f1", "F1"))
        panel.set_xlim(0, 1)
        panel.set_ylim(0, 1.02)
    _legend(figure, panels[0][0])
    return _png(figure)


def _seen(curves: Curves, across: str, upward: str) -> tuple[Sequence[float], Sequence[float]]:
    """The points of a curve; precision against recall ends where nothing is detected any more."""
    x, y = getattr(curves, across), getattr(curves, upward)
    if across == "confidence":
        return x, y
    kept = [(recall, precision) for recall, precision in zip(x, y, strict=True) if recall > 0]
    return [each[0] for each in kept], [each[1] for each in kept]


def learning_picture(records: Sequence[TrialRecord]) -> bytes | None:
    """Validation loss and mAP50-95 against epoch; None where no record has a learning curve."""
    learned = [record for record in records if record.rungs]
    if not learned:
        return None
    figure = Figure(figsize=(11, 4), dpi=130, layout="constrained")
    panels = figure.subplots(1, 2)
    wanted: tuple[tuple[str, Callable[[EpochResult], float]], ...] = (
        ("loss (val)", lambda result: result.loss),
        ("mAP50-95 (val)", lambda result: result.map50_95),
    )
    for panel, (title, value) in zip(panels, wanted, strict=True):
        for number, record in enumerate(learned):
            epochs = [result.epoch for result in record.rungs]
            mark = {"marker": "o", "ms": 4} if len(epochs) == 1 else {}
            panel.plot(epochs, [value(result) for result in record.rungs], label=record.name, **_look(number), **mark)
        _named(panel, "epoch", title)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    if (top := top_of_losses(learned)) is not None:
        panels[0].set_ylim(0, top)
        panels[0].set_ylabel("loss (val), early spikes cut off")
    panels[1].set_ylim(bottom=0)
    _legend(figure, panels[0])
    return _png(figure)


def top_of_losses(learned: Sequence[TrialRecord]) -> float | None:
    """Where the axis ends, if losses of the first epochs would press all others to its bottom; None for nowhere."""
    every = [result.loss for record in learned for result in record.rungs]
    later = [result.loss for record in learned for result in record.rungs[len(record.rungs) // 4 :]]
    usual = sorted(later)[int(0.9 * (len(later) - 1))]
    return 2 * usual if max(every) > SPIKE * usual else None


def sizes_picture(records: Sequence[TrialRecord]) -> bytes | None:
    """Bars of file size, GFLOPs and latency, a line a record; None where none of them is known."""
    wanted = (("size_mib", "size, MiB"), ("flops_g", "GFLOPs"), ("latency_ms", "latency, ms"))
    shown = [record for record in records if any(record.measurement(name) for name, _ in wanted)]
    if not shown:
        return None
    figure = Figure(figsize=(11, 1.1 + 0.3 * len(shown)), dpi=130, layout="constrained")
    panels = figure.subplots(1, len(wanted), sharey=True)
    for panel, (name, title) in zip(panels, wanted, strict=True):
        values = [0.0 if (found := record.measurement(name)) is None else found.value for record in shown]
        bars = panel.barh(range(len(shown)), values, color=BLUE, height=0.72)
        panel.bar_label(bars, [significant(value) if value else "" for value in values], padding=3, fontsize=8)
        panel.set_title(title, loc="left", fontsize=10, color=INK)
        panel.margins(x=0.16)
        quiet(panel)
        panel.grid(visible=False, axis="y")
    panels[0].set_yticks(range(len(shown)), [record.name for record in shown])
    panels[0].invert_yaxis()
    return _png(figure)


def _look(number: int) -> dict[str, object]:
    return {
        "color": COLOURS[number % len(COLOURS)],
        "ls": DASHES[(number // len(COLOURS)) % len(DASHES)],
        "lw": 1.6,
    }


def _named(panel: Axes, across: str, upward: str) -> None:
    panel.set_xlabel(across)
    panel.set_ylabel(upward)
    quiet(panel)


def _legend(figure: Figure, panel: Axes) -> None:
    handles, labels = panel.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", frameon=False, fontsize=9)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
