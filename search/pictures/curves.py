"""Learning curves, curves against confidence, sizes and kept channels of one record or several, as PNG."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

import matplotlib

matplotlib.use("Agg")  # needs no display

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from objectives.base import Curves, EpochResult
from objectives.quantities import FLOPS_G, LATENCY_MS, SIZE_MIB
from search.findings.columns import requested_quantities
from search.record.number_text import significant
from search.record.trial import TrialRecord, trained_accuracy
from spaces.base import ArchSpec
from spaces.display.charts import BLUE, GREEN, INK, VERMILLION, simplify_axes
from spaces.shown import picture_text

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#30343B", "#B8A300")
DASHES = ("-", (0, (5, 2)), (0, (1, 1.4)))
MAX_RECORDS = len(COLOURS) * len(DASHES)
"""Maximum number of records that can be told apart in one picture."""

SPIKE_FACTOR = 4
"""Multiple of the usual loss above which early losses are cut off."""


def confidence_picture(records: Sequence[TrialRecord], split: str = "val") -> bytes | None:
    """Draw precision, recall and F1 against confidence, and precision against recall; None if no record has curves.

    Args:
        records: At most `MAX_RECORDS`.
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
            x, y = _points(curves, across, upward)
            panel.plot(x, y, label=picture_text(name), **_line_style(number))
        _set_titles(panel, across, upward.replace("f1", "F1"))
        panel.set_xlim(0, 1)
        panel.set_ylim(0, 1.02)
    _legend(figure, panels[0][0])
    return _png(figure)


def _points(curves: Curves, across: str, upward: str) -> tuple[Sequence[float], Sequence[float]]:
    """Return the points of a curve; precision against recall ends where nothing is detected any more."""
    x, y = getattr(curves, across), getattr(curves, upward)
    if across == "confidence":
        return x, y
    kept = [(recall, precision) for recall, precision in zip(x, y, strict=True) if recall > 0]
    return [each[0] for each in kept], [each[1] for each in kept]


def learning_picture(records: Sequence[TrialRecord]) -> bytes | None:
    """Draw validation loss and accuracy against epoch; None if no record has a learning curve."""
    learned = [record for record in records if record.rungs]
    if not learned:
        return None
    figure = Figure(figsize=(11, 4), dpi=130, layout="constrained")
    panels = figure.subplots(1, 2)
    wanted: tuple[tuple[str, Callable[[EpochResult], float]], ...] = (
        ("loss (val)", lambda result: result.loss),
        (trained_accuracy(records).axis_title, lambda result: result.map50_95),
    )
    for panel, (title, value) in zip(panels, wanted, strict=True):
        for number, record in enumerate(learned):
            epochs = [result.epoch for result in record.rungs]
            style = _line_style(number) | ({"marker": "o", "ms": 4} if len(epochs) == 1 else {})
            panel.plot(epochs, [value(result) for result in record.rungs], label=picture_text(record.name), **style)
        _set_titles(panel, "epoch", title)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    if (top := top_of_losses(learned)) is not None:
        panels[0].set_ylim(0, top)
        panels[0].set_ylabel("loss (val), early spikes cut off")
    panels[1].set_ylim(bottom=0)
    _legend(figure, panels[0])
    return _png(figure)


def top_of_losses(learned: Sequence[TrialRecord]) -> float | None:
    """Return the upper end of the loss axis if the first epochs' losses would hide all others; else None."""
    every = [result.loss for record in learned for result in record.rungs]
    later = [result.loss for record in learned for result in record.rungs[len(record.rungs) // 4 :]]
    usual = sorted(later)[int(0.9 * (len(later) - 1))]
    return 2 * usual if max(every) > SPIKE_FACTOR * usual else None


def sizes_picture(records: Sequence[TrialRecord]) -> bytes | None:
    """Draw file size, GFLOPs, latency and costs on request as bars, one line per record; None if none is known."""
    wanted = [SIZE_MIB, FLOPS_G, LATENCY_MS]
    wanted += [each for each in requested_quantities(records) if each.before_training]
    shown = [record for record in records if any(record.measurement(each.name) for each in wanted)]
    if not shown:
        return None
    figure = Figure(figsize=(11, 1.1 + 0.3 * len(shown)), dpi=130, layout="constrained")
    panels = figure.subplots(1, len(wanted), sharey=True)
    for panel, quantity in zip(panels, wanted, strict=True):
        values = [record.value(quantity.name) or 0.0 for record in shown]
        bars = panel.barh(range(len(shown)), values, color=BLUE, height=0.72)
        panel.bar_label(bars, [significant(value) if value else "" for value in values], padding=3, fontsize=8)
        panel.set_title(quantity.title, loc="left", fontsize=10, color=INK)
        panel.margins(x=0.16)
        simplify_axes(panel)
        panel.grid(visible=False, axis="y")
    panels[0].set_yticks(range(len(shown)), [picture_text(record.name) for record in shown])
    panels[0].invert_yaxis()
    return _png(figure)


def _line_style(number: int) -> dict[str, object]:
    return {
        "color": COLOURS[number % len(COLOURS)],
        "ls": DASHES[(number // len(COLOURS)) % len(DASHES)],
        "lw": 1.6,
    }


def _set_titles(panel: Axes, across: str, upward: str) -> None:
    panel.set_xlabel(across)
    panel.set_ylabel(upward)
    simplify_axes(panel)


def _legend(figure: Figure, panel: Axes) -> None:
    handles, labels = panel.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", frameon=False, fontsize=9)


MAX_NAMES = 72
"""Maximum number of channel groups that are named below the bars; of more, every second or third is named."""


def channel_picture(record: TrialRecord) -> bytes | None:
    """Draw the parent's width and the kept channels of each group as bars; None for a record without a spec."""
    spec = record.spec
    if spec is None:
        return None
    figure = Figure(figsize=(11, 3.9), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    kept = [len(channels) for channels in spec.kept]
    positions = range(len(kept))
    axes.bar(positions, spec.widths, color="#E3E0D9", width=0.86, label="parent")
    axes.bar(positions, kept, color=BLUE, width=0.86, label="kept")
    axes.set_yscale("log", base=2)  # the first layers are narrow, the last ones wide
    axes.set_ylim(bottom=max(1, min(kept) / 2))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_ylabel("channels")
    without = f", drops {', '.join(spec.dropped)}" if spec.dropped else ""
    title = f"{record.name} keeps {100 * spec.channel_ratio:.0f} % of the channels{without}"
    axes.set_title(picture_text(title), loc="left", color=INK)
    _name_groups(axes, spec)
    axes.legend(frameon=False, ncols=2, loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0.2, fontsize=9)
    simplify_axes(axes)
    axes.grid(visible=False, axis="x")
    return _png(figure)


def _name_groups(axes: Axes, spec: ArchSpec) -> None:
    every = 1 + (len(spec.groups) - 1) // MAX_NAMES
    positions = list(range(0, len(spec.groups), every))
    names = [spec.groups[position].removeprefix("model.") for position in positions]
    axes.set_xticks(positions, names, rotation=90, fontsize=7)
    axes.set_xlim(-0.7, len(spec.groups) - 0.3)


def curves_picture(record: TrialRecord, parent: TrialRecord | None) -> bytes | None:
    """Draw learning curve and P, R and F1 against confidence, the parent dashed; None if nothing is stored."""
    accuracy = record.evaluation()
    curves = None if accuracy is None else accuracy.curves
    if not record.rungs and curves is None:
        return None
    figure = Figure(figsize=(11, 3.4), dpi=150, layout="constrained")
    learning, confidence = figure.subplots(1, 2)
    _draw_learning(learning, record, parent)
    theirs = parent.evaluation() if parent is not None and parent is not record else None
    _draw_curves(confidence, curves, theirs.curves if theirs is not None else None)
    return _png(figure)


def _draw_learning(axes: Axes, record: TrialRecord, parent: TrialRecord | None) -> None:
    axes.set_title("learning curve", loc="left", color=INK)
    accuracy = trained_accuracy([record])
    axes.plot([r.epoch for r in record.rungs], [r.map50_95 for r in record.rungs], color=BLUE, marker="o", ms=4)
    if parent is not None and parent is not record and (theirs := parent.value(accuracy.name)) is not None:
        axes.axhline(theirs, color=VERMILLION, ls=(0, (4, 3)), lw=1.2, label="parent")
        axes.legend(frameon=False, fontsize=9)
    axes.set_xlabel("epoch")
    axes.set_ylabel(accuracy.axis_title)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    simplify_axes(axes)


def _draw_curves(axes: Axes, curves: Curves | None, parent: Curves | None) -> None:
    axes.set_title("against confidence; the parent's dashed", loc="left", color=INK)
    for name, colour in (("precision", VERMILLION), ("recall", GREEN), ("f1", BLUE)):
        if curves is not None:
            axes.plot(curves.confidence, getattr(curves, name), color=colour, lw=1.6, label=name)
        if parent is not None:
            axes.plot(parent.confidence, getattr(parent, name), color=colour, lw=1, ls=(0, (4, 3)), alpha=0.6)
    axes.set_xlabel("confidence")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    if curves is not None:
        axes.legend(frameon=False, fontsize=9, loc="best")
    simplify_axes(axes)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
