"""Pictures of the page of search results, drawn from its figures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")  # no display is needed

from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

METHOD_COLORS = {
    "ours": "#d1495b", "GP": "#00798c", "multivariate TPE": "#edae49", "Optuna's default": "#66a182",
    "NSGA-II": "#8d6cab", "random": "#9aa0a6", "uniform scaling": "#30343b", "by hand, in rounds": "#30343b",
}  # fmt: skip
RULE_COLORS = {"front": "#d1495b", "mo-asha": "#00798c", "median of mAP": "#9aa0a6"}


def draw_trainings(figures: Mapping[str, Any], file: Path) -> None:
    """Draw a panel for each problem: the median share of the best hypervolume against trainings."""
    columns = min(3, len(figures))
    rows = -(-len(figures) // columns)
    drawn, panels = pyplot.subplots(rows, columns, figsize=(4.2 * columns, 3.2 * rows), squeeze=False, sharey=True)
    for panel in panels.flat[len(figures) :]:
        panel.set_visible(False)
    for panel, (problem, methods) in zip(panels.flat, figures.items(), strict=False):
        for method, found in methods.items():
            at = [int(count) for count in found["curve"]]
            _line(panel, method, at, [100 * share for share in found["curve"].values()])
        panel.set_xscale("log")
        panel.set_xticks([5, 10, 25, 50, 100, 300], labels=["5", "10", "25", "50", "100", "300"])
        panel.minorticks_off()
        panel.set_ylim(80, 100.5)
        panel.axhline(98, color="0.7", lw=0.8, ls=":")
        panel.set_title(problem, fontsize=10)
    for panel in panels[-1]:
        panel.set_xlabel("trainings")
    for row in panels:
        row[0].set_ylabel("% of the best hypervolume")
    _finish(drawn, file)


def draw_end_to_end(figures: Mapping[str, Any], file: Path) -> None:
    """Draw a panel for each seed: hypervolume against seconds of training."""
    seeds = len(next(iter(figures.values()))["curves"])
    drawn, panels = pyplot.subplots(1, seeds, figsize=(4.2 * seeds, 3.4), squeeze=False, sharey=True)
    for seed, panel in enumerate(panels.flat):
        for method, found in figures.items():
            seconds, volumes = zip(*found["curves"][seed], strict=True)
            _line(panel, method, seconds, volumes, drawstyle="steps-post")
        panel.set_title(f"seed {seed}", fontsize=10)
        panel.set_xlabel("seconds of training")
    panels[0][0].set_ylabel("hypervolume (mAP50-95 × log latency)")
    _finish(drawn, file)


def draw_stopped_members(lost: Mapping[str, Any], file: Path) -> None:
    """Draw bars: the share of the true front's members that each rule stopped, by tenth of the latency range."""
    rules = [rule for rule in RULE_COLORS if rule in lost]
    drawn, panel = pyplot.subplots(figsize=(7.5, 3.4))
    width = 0.8 / len(rules)
    for number, rule in enumerate(rules):
        tenths = [(tenth, share) for tenth, share in enumerate(lost[rule]["tenths"], start=1) if share is not None]
        at = [tenth + (number - (len(rules) - 1) / 2) * width for tenth, _ in tenths]
        panel.bar(at, [100 * share for _, share in tenths], width, label=rule, color=RULE_COLORS[rule])
    panel.set_xticks(range(1, 11))
    panel.set_xlabel("tenth of the latency range, the fastest first")
    panel.set_ylabel("front members stopped, %")
    _finish(drawn, file)


def _line(panel: Axes, method: str, x: Any, y: Any, **style: Any) -> None:
    ours = method == "ours"
    panel.plot(
        x, y, label=method, lw=2.4 if ours else 1.3, color=METHOD_COLORS.get(method), zorder=3 if ours else 2, **style
    )


def _finish(drawn: Figure, file: Path) -> None:
    """Add one legend below all panels and write the file."""
    shown: dict[str, Any] = {}
    for panel in drawn.axes:
        panel.spines[["top", "right"]].set_visible(False)
        handles, labels = panel.get_legend_handles_labels()
        shown |= dict(zip(labels, handles, strict=True))
    drawn.tight_layout(rect=(0, 0.05 if len(drawn.axes) > 3 else 0.09, 1, 1))
    names = [*(name for name in METHOD_COLORS if name in shown), *(name for name in shown if name not in METHOD_COLORS)]
    drawn.legend([shown[name] for name in names], names, ncols=len(names), loc="lower center", frameon=False)
    drawn.savefig(file, dpi=110)
    pyplot.close(drawn)
