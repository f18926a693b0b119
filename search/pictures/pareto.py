"""The Pareto plot as a PNG: every record, the front as a staircase, and the front's hypervolume by trials.

The colours are those of Okabe and Ito, which people with any colour vision can tell apart. Each kind of record also has
its own marker.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib

from spaces.durable import write_bytes

matplotlib.use("Agg")  # needs no display

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from objectives.base import Direction
from objectives.quantities import USUAL_OBJECTIVES
from search.findings.leaderboard import parent_of
from search.findings.panels import Panel, kind_of, panels_of
from search.findings.roles import front_roles, least_for_roles
from search.pictures.labels import Label, place_labels
from search.record.latency_text import MEANINGS, PREDICTED_MARK, is_predicted
from search.record.trial import Outcome, TrialRecord
from search.store.entries import FrontEntry
from spaces.display.charts import BLUE, GREY, INK, ORANGE, VERMILLION, simplify_axes
from spaces.shown import picture_text


@dataclass(frozen=True)
class MarkerStyle:
    """The marker of one kind of record."""

    marker: str
    colour: str
    size: float
    label: str
    filled: bool = True


KINDS = {
    "parent": MarkerStyle("*", VERMILLION, 200, "parent"),
    "reference": MarkerStyle("s", ORANGE, 48, "donors, controls"),
    "front": MarkerStyle("o", BLUE, 52, "trial on the front"),
    "trial": MarkerStyle("o", GREY, 26, "trial"),
    "infeasible": MarkerStyle("o", GREY, 26, "trial over a limit", filled=False),
}
PlotPoint = tuple[float, float, float, TrialRecord]
"""Horizontal and vertical value, half the horizontal interval, and the record."""
PlotPoints = dict[str, list[PlotPoint]]
EDGE = "front of these two alone"
"""Label of the staircase where the study has further objectives: members of the front may lie behind it."""

WIDE, NARROW = 3.3, 2.4
"""Width of the only panel, and of each of several, in widths of the legend."""

LEGEND = ("Pareto front", EDGE, "trial on the front", "parent", "donors, controls", "trial", "trial over a limit")


def pareto_png(
    path: Path,
    records: Sequence[TrialRecord],
    fronts: Sequence[FrontEntry],
    *,
    objectives: Sequence[tuple[str, Direction]] = USUAL_OBJECTIVES,
    limits: Mapping[str, float | None] | None = None,
    at_least: Mapping[str, float] | None = None,
    title: str = "",
) -> Path:
    """Write the plot, with the first objective (accuracy) as vertical axis and the other (latency) as horizontal axis.

    Each further objective is the horizontal axis of a panel of its own.

    Args:
        fronts: The front after each change; the last one is drawn, all give the hypervolume panel.
        limits: The study's limits by objective; one of a horizontal axis is drawn as a line.
        at_least: See `search.findings.roles.least_for_roles`.

    Returns:
        The path of the complete file.
    """
    picture = pareto_bytes(records, fronts, objectives=objectives, limits=limits, at_least=at_least, title=title)
    return write_bytes(path, picture)


def pareto_bytes(
    records: Sequence[TrialRecord],
    fronts: Sequence[FrontEntry],
    *,
    objectives: Sequence[tuple[str, Direction]] = USUAL_OBJECTIVES,
    limits: Mapping[str, float | None] | None = None,
    at_least: Mapping[str, float] | None = None,
    title: str = "",
) -> bytes:
    """The plot of `pareto_png` as the bytes of a PNG."""
    panels = panels_of(objectives)
    ratios = (*[WIDE if len(panels) == 1 else NARROW] * len(panels), 1)
    figure = Figure(figsize=(10.4 * sum(ratios) / (WIDE + 1), 5.6), dpi=200, layout="constrained")
    grid = figure.add_gridspec(2, len(panels) + 1, width_ratios=ratios, height_ratios=(1, 1))
    plots = [figure.add_subplot(grid[:, position]) for position in range(len(panels))]
    front = fronts[-1].members if fronts else ()
    least = least_for_roles(parent_of(records), objectives, at_least)
    drawn = [_draw_records(axes, records, front, panel) for axes, panel in zip(plots, panels, strict=True)]
    for axes, panel in zip(plots, panels, strict=True):
        _draw_limit(axes, (limits or {}).get(panel.horizontal[0]), "" if panel.is_whole else f" {panel.unit}")
    _draw_legend(figure.add_subplot(grid[0, -1]), plots)
    _draw_hypervolume(figure.add_subplot(grid[1, -1]), fronts, records)
    if title:
        figure.suptitle(picture_text(title), x=0.01, ha="left", fontsize=13, color=INK, fontweight="bold")
    for axes, points in zip(plots, drawn, strict=True):
        labels = _labels(points, front, objectives, least)
        place_labels(figure, axes, labels, [point[:2] for found in points.values() for point in found], INK)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _draw_legend(legend: Axes, plots: Sequence[Axes]) -> None:
    legend.axis("off")
    handles: dict[str, Any] = {}
    for axes in plots:
        handles |= dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    order = [label for label in LEGEND if label in handles] + [label for label in handles if label not in LEGEND]
    legend.legend(
        [handles[label] for label in order], order, loc="upper left", frameon=False, fontsize=9, borderaxespad=0
    )


def _draw_records(axes: Axes, records: Sequence[TrialRecord], front: Collection[str], panel: Panel) -> PlotPoints:
    across, parent = panel.horizontal[0], parent_of(records)
    points: PlotPoints = {kind: [] for kind in KINDS}
    for record in records:
        place = panel.place(record)
        if record.outcome is Outcome.COMPLETE and place is not None:
            points[kind_of(record, front, parent)].append((*place, panel.error(record), record))
    for kind in ("infeasible", "trial", "reference", "front", "parent"):
        _scatter(axes, KINDS[kind], points[kind])
    everything = [point for found in points.values() for point in found]
    _mark_predicted(axes, [point for point in everything if is_predicted(point[3], across)])
    edge = panel.edge([record for *_, record in everything if record.name in front])
    corners = [place for record in edge if (place := panel.place(record)) is not None]
    _draw_staircase(axes, corners, "Pareto front" if panel.is_whole else EDGE)
    _draw_rug(axes, records, across)
    axes.margins(x=0.09, y=0.07)
    axes.set_xlabel(panel.titles[0])
    axes.set_ylabel(panel.titles[1])
    simplify_axes(axes)
    return points


def _labels(
    points: PlotPoints, front: Collection[str], objectives: Sequence[tuple[str, Direction]], least: float | None
) -> list[Label]:
    """Return the labels of the front and of the reference rows; those with a role on the front first."""
    everything = [point for found in points.values() for point in found]
    roles = front_roles([record for *_, record in everything if record.name in front], objectives, least)
    named = [
        Label(", ".join((r.name, *roles.get(r.name, ()))), x, y, True) for x, y, _, r in everything if r.name in front
    ]
    named.sort(key=lambda label: "," not in label.text)
    others = [point for kind in ("parent", "reference") for point in points[kind] if point[3].name not in front]
    return named + [Label(record.name, x, y, False) for x, y, _, record in others]


def _scatter(axes: Axes, marks: MarkerStyle, points: Sequence[PlotPoint]) -> None:
    if not points:
        return
    xs, ys, errors = [p[0] for p in points], [p[1] for p in points], [p[2] for p in points]
    strong = marks.colour != GREY
    axes.errorbar(xs, ys, xerr=errors, fmt="none", ecolor=marks.colour, elinewidth=1, alpha=0.6 if strong else 0.35)
    axes.scatter(
        xs, ys, s=marks.size, marker=marks.marker, label=marks.label, linewidths=1, zorder=4 if strong else 2,
        facecolors=marks.colour if marks.filled else "none", edgecolors="white" if marks.filled else marks.colour,
        alpha=1 if strong else 0.75,
    )  # fmt: skip


def _mark_predicted(axes: Axes, points: Sequence[PlotPoint]) -> None:
    if points:
        xs, ys = [p[0] for p in points], [p[1] for p in points]
        label = f"{PREDICTED_MARK} {MEANINGS[PREDICTED_MARK]}"
        axes.scatter(xs, ys, s=70, marker="$\\sim$", color=INK, linewidths=0.4, zorder=5, label=label)


def _draw_staircase(axes: Axes, corners: Sequence[tuple[float, float]], label: str) -> None:
    """The edge of what is reached: accuracy stays at a member's until the next, slower one."""
    if corners:
        xs, ys = [corner[0] for corner in corners], [corner[1] for corner in corners]
        axes.plot(xs, ys, drawstyle="steps-post", color=BLUE, lw=1.4, alpha=0.8, zorder=3, label=label)


def _draw_rug(axes: Axes, records: Sequence[TrialRecord], across: str) -> None:
    """Draw records that have a latency but no accuracy: strokes on the axis, arrows for predicted latencies."""
    endings = (Outcome.RULED_OUT, Outcome.STOPPED, Outcome.FAILED)
    found = [record for record in records if record.outcome in endings]
    for predicted, marker, label in (
        (False, "|", "rejected, stopped early, failed"),
        (True, 3, f"rejected: {PREDICTED_MARK} predicted"),
    ):
        shown = [r for r in found if is_predicted(r, across) is predicted]
        xs = [x for record in shown if (x := record.value(across)) is not None]
        if xs:
            axes.plot(
                xs, [0.012] * len(xs), ls="none", marker=marker, color=INK, alpha=0.55, ms=9 if marker == "|" else 5,
                mew=1.1, transform=axes.get_xaxis_transform(), label=label,
            )  # fmt: skip


def _draw_limit(axes: Axes, limit: float | None, unit: str) -> None:
    if limit is not None:
        axes.axvline(limit, color=INK, lw=1, ls=(0, (4, 3)), alpha=0.7, label=f"limit {limit:g}{unit}", zorder=1)


def _draw_hypervolume(axes: Axes, fronts: Sequence[FrontEntry], records: Sequence[TrialRecord]) -> None:
    axes.set_title("hypervolume of the front", fontsize=9, loc="left", color=INK)
    axes.set_xlabel("trials", fontsize=9)
    simplify_axes(axes)
    if not fronts:
        return
    counted = sum(not r.is_reference and r.outcome is not Outcome.DUPLICATE for r in records)
    volumes = {front.after: front.hypervolume for front in fronts}  # several changes at 0 trials: the last one counts
    xs = [*volumes, max(counted, fronts[-1].after)]
    axes.plot(xs, [*volumes.values(), fronts[-1].hypervolume], drawstyle="steps-post", color=BLUE, lw=1.4)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.tick_params(labelsize=8)
