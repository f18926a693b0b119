"""The picture of a data set: accuracy on test against latency, all arms, one panel for each seed."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import matplotlib

matplotlib.use("Agg")  # no display is needed

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.compounding.arms import ALONE, BUDGETED_ARMS, HAND_ARMS, OUR_SEARCH, SEARCH_ARMS, STOCK, THINNER, WISHED
from benchmarks.compounding.figures import NetworkFigures, SeedFigures
from spaces.display.charts import BLUE, GREEN, GREY, INK, ORANGE, VERMILLION, simplify_axes

COLUMNS = 3
PURPLE = "#CC79A7"  # of the same palette (Okabe and Ito) as the others
SEARCH_COLOURS = {"S0": GREY, "S1": ORANGE, "S2": GREEN, OUR_SEARCH: BLUE, WISHED: PURPLE}


def draw_seeds(seeds: Mapping[int, SeedFigures]) -> bytes:
    """Return the picture as PNG."""
    columns = min(COLUMNS, len(seeds))
    rows = -(-len(seeds) // columns)
    figure = Figure(figsize=(4.2 * columns + 2.2, 3.6 * rows + 0.4), dpi=120, layout="constrained")
    panels = list(figure.subplots(rows, columns, squeeze=False, sharey=True, sharex=True).flat)
    for axes in panels[len(seeds) :]:
        axes.set_visible(False)
    for number, (axes, (seed, figures)) in enumerate(zip(panels, seeds.items(), strict=False)):
        _draw(axes, figures)
        axes.set_title(f"seed {seed}", fontsize=10, color=INK)
        if number % columns == 0:
            axes.set_ylabel("mAP50-95, test")
        if number >= len(seeds) - columns:
            axes.set_xlabel("latency, ms")
            axes.tick_params(axis="x", which="both", labelbottom=True)
    found = {label: handle for axes in panels[: len(seeds)] for handle, label in zip(*_legend(axes), strict=True)}
    figure.legend(list(found.values()), list(found), loc="outside right center", frameon=False, fontsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _draw(axes: Axes, figures: SeedFigures) -> None:
    for arm in SEARCH_ARMS:
        if arm in figures.arms:
            is_ours = arm in BUDGETED_ARMS
            _scatter(
                axes, figures.arms[arm].networks, f"{arm}, its front", SEARCH_COLOURS[arm], "o", 26 if is_ours else 14
            )
            _line(axes, figures.arms[arm].networks, SEARCH_COLOURS[arm])
    if THINNER in figures.arms:
        _scatter(axes, figures.arms[THINNER].networks, "by hand, cut further", VERMILLION, "x", 20)
    hand = [each for arm in HAND_ARMS if arm in figures.arms for each in figures.arms[arm].networks]
    _scatter(axes, hand, "by hand", VERMILLION, "s", 34)
    for number, each in enumerate(sorted(hand, key=lambda network: network.ms)):
        offset = (5, -11) if number % 2 == 0 else (5, 5)
        axes.annotate(each.name, (each.ms, each.test), xytext=offset, textcoords="offset points", fontsize=7, color=INK)
    for arm, label, marker in ((ALONE, "X, trained alone", "*"), (STOCK, "at a smaller image size", "^")):
        if arm in figures.arms:
            _scatter(axes, figures.arms[arm].networks, label, INK, marker, 60 if marker == "*" else 30)
    _scatter(axes, [figures.parent], "the parent", INK, "D", 30)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("{x:g}")
    axes.tick_params(axis="both", which="both", labelsize=7)
    simplify_axes(axes)


def _scatter(axes: Axes, networks: Sequence[NetworkFigures], label: str, colour: str, marker: str, size: float) -> None:
    xs, ys = [each.ms for each in networks], [each.test for each in networks]
    axes.scatter(xs, ys, label=label, color=colour, marker=marker, s=size, alpha=0.9, zorder=3)


def _line(axes: Axes, networks: Sequence[NetworkFigures], colour: str) -> None:
    axes.plot([each.ms for each in networks], [each.test for each in networks], color=colour, lw=0.9, alpha=0.6)


def _legend(axes: Axes) -> tuple[list[Artist], list[str]]:
    handles, labels = axes.get_legend_handles_labels()
    return list(handles), list(labels)
