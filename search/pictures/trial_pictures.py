"""Pictures of one trial as PNG: the channels it keeps, and its curves beside the parent's."""

from __future__ import annotations

import io

import matplotlib

matplotlib.use("Agg")  # no display is needed, or looked for

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from objectives.base import Curves
from search.record.trial import TrialRecord
from spaces.base import ArchSpec
from spaces.display.charts import BLUE, GREEN, INK, VERMILLION, quiet

MOST_NAMES = 72
"""Channel groups whose names fit below the bars; of more, every second or third is named."""


def channel_picture(record: TrialRecord) -> bytes | None:
    """Bars of the parent's width and of the kept channels, group by group; None for a record without a spec."""
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
    axes.set_title(title, loc="left", color=INK)
    _name_groups(axes, spec)
    axes.legend(frameon=False, ncols=2, loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0.2, fontsize=9)
    quiet(axes)
    axes.grid(visible=False, axis="x")
    return _png(figure)


def _name_groups(axes: Axes, spec: ArchSpec) -> None:
    every = 1 + (len(spec.groups) - 1) // MOST_NAMES
    positions = list(range(0, len(spec.groups), every))
    names = [spec.groups[position].removeprefix("model.") for position in positions]
    axes.set_xticks(positions, names, rotation=90, fontsize=7)
    axes.set_xlim(-0.7, len(spec.groups) - 0.3)


def curves_picture(record: TrialRecord, parent: TrialRecord | None) -> bytes | None:
    """The learning curve and P, R and F1 against confidence, the parent dashed; None where there is nothing to draw."""
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
    axes.plot([r.epoch for r in record.rungs], [r.map50_95 for r in record.rungs], color=BLUE, marker="o", ms=4)
    if parent is not None and parent is not record and (theirs := parent.value("map50_95")) is not None:
        axes.axhline(theirs, color=VERMILLION, ls=(0, (4, 3)), lw=1.2, label="parent")
        axes.legend(frameon=False, fontsize=9)
    axes.set_xlabel("epoch")
    axes.set_ylabel("mAP50-95 (val)")
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    quiet(axes)


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
    quiet(axes)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
