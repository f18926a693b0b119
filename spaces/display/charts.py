"""Charts of networks: the channel groups, and the style that all our charts share.

Colours are those of Okabe and Ito, which people with any colour vision can distinguish.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import matplotlib

matplotlib.use("Agg")  # draws without a display

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from spaces.base import Section
from spaces.shown import picture_text

if TYPE_CHECKING:
    from spaces.display.group_rows import GroupRow, Overview, PartialCost

BLUE, ORANGE, GREEN, VERMILLION, GREY, INK = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#9AA0A6", "#30343B"
SECTION_COLOURS: dict[Section, str] = {"backbone": BLUE, "neck": ORANGE, "detect": GREEN}
INCHES_A_GROUP, INCHES_AN_ENTRY = 0.135, 2.0


def simplify_axes(axes: Axes) -> None:
    """Remove two spines and the dark ticks of a chart; keep a faint grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#C4C8CE")
    axes.tick_params(color="#C4C8CE", labelcolor=INK)
    axes.grid(alpha=0.25, lw=0.6)
    axes.set_axisbelow(True)


def groups_png(seen: Overview, title: str) -> bytes:
    """Draw width and share of FLOPs of each channel group, in the network's order; return the bytes of a PNG.

    Behind the bars of a cut network are the parent's in a lighter colour. Groups that are not deployed are outlines.
    """
    rows = seen.groups
    figure = Figure(figsize=(max(8.0, 1.4 + INCHES_A_GROUP * len(rows)), 6.4), dpi=160, layout="constrained")
    strip, upper, lower = figure.subplots(3, 1, sharex=True, height_ratios=(0.07, 1, 1))
    figure.suptitle(picture_text(title), x=0.01, ha="left", fontsize=12, color=INK, fontweight="bold")
    _draw_stages(strip, rows)
    _draw_bars(upper, rows, [(row.width, row.kept) for row in rows])
    upper.set_yscale("log", base=2)  # the first layers are narrow, the last ones wide
    upper.set_ylim(bottom=max(0.5, min(row.kept or row.width for row in rows) / 2))
    upper.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    upper.set_ylabel("channels", color=INK, fontsize=9)
    _draw_bars(lower, rows, [(100 * row.part.flops[0], 100 * row.part.flops[1]) for row in rows])
    shares = {place: 100 * row.part.parameters[1] for place, row in enumerate(rows) if row.is_deployed}
    for colour, size in (("white", 3.2), (INK, 1.6)):  # the rim keeps it visible on a bar
        lower.plot(list(shares), list(shares.values()), ls="none", marker="_", ms=6, mew=size, color=colour)
    lower.set_ylabel("share of FLOPs, %", color=INK, fontsize=9)
    lower.set_xticks(range(len(rows)), [row.name.removeprefix("model.") for row in rows], rotation=90, fontsize=6.5)
    lower.set_xlim(-0.8, len(rows) - 0.2)
    _add_legend(figure, seen)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _draw_bars(axes: Axes, rows: Sequence[GroupRow], pairs: Sequence[tuple[float, float]]) -> None:
    colours = [SECTION_COLOURS[row.section] for row in rows]
    fills = [colour if row.is_deployed else "white" for row, colour in zip(rows, colours, strict=True)]
    lost = [index for index, (before, after) in enumerate(pairs) if after < before]
    axes.bar(lost, [pairs[index][0] for index in lost], color=[lighten(colours[index]) for index in lost], width=0.8)
    axes.bar(range(len(rows)), [after for _, after in pairs], color=fills, edgecolor=colours, lw=0.6, width=0.76)
    axes.tick_params(axis="y", labelsize=9)
    simplify_axes(axes)
    axes.grid(visible=False, axis="x")


def lighten(colour: str) -> tuple[float, float, float]:
    """Return a lighter shade of a colour, for parts that were cut."""
    red, green, blue = (1 - 0.28 * (1 - part) for part in to_rgb(colour))
    return red, green, blue


def _draw_stages(axes: Axes, rows: Sequence[GroupRow]) -> None:
    """Write the resolution of the groups over the bars: P3 is 1/8 of the image."""
    axes.set_axis_off()
    begin = 0
    for stage, members in groupby(rows, key=lambda row: row.stage):
        count = len(list(members))
        axes.axvspan(begin - 0.45, begin + count - 0.55, color=str(0.95 - 0.06 * stage), lw=0)
        axes.text(begin + count / 2 - 0.5, 0.5, f"P{stage}", ha="center", va="center", fontsize=6.5, color=INK)
        begin += count


def _add_legend(figure: Figure, seen: Overview) -> None:
    handles: list[Patch | Line2D] = [
        Patch(color=colour, label=f"{section}, {_per_cent(seen.section_part(section), seen)} of FLOPs")
        for section, colour in SECTION_COLOURS.items()
    ]
    handles.append(Line2D([], [], ls="none", label=f"(stays whole: {_per_cent(seen.stays_whole, seen)})"))
    if seen.is_cut:
        handles.append(Patch(color=lighten(INK), label="in the parent"))
    if not all(row.is_deployed for row in seen.groups):
        handles.append(Patch(facecolor="white", edgecolor=GREEN, label="not deployed"))
    handles.append(Line2D([], [], ls="none", marker="_", ms=8, mew=1.6, color=INK, label="share of parameters, %"))
    fitting = int(figure.get_figwidth() / INCHES_AN_ENTRY)
    columns = len(handles) if fitting >= len(handles) else math.ceil(len(handles) / 2)
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False, fontsize=9)


def _per_cent(part: PartialCost, seen: Overview) -> str:
    before, after = (f"{100 * share:.1f}" for share in part.flops)
    return f"{before} → {after} %" if seen.is_cut else f"{before} %"
