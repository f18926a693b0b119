"""Writes the results page of the benchmark of search from its JSON, with a picture, so that no figure is typed by hand.

    python -m benchmarks.search_page --out runs/search --page docs/results/search.md

What stands on the page below "Notes" is written by people and stays.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.latency_page import NOTES, notes_of
from benchmarks.search_figures import overall, table_text
from benchmarks.search_problems import CHOSEN_ON

COLORS = {"ours": "#d1495b", "GP": "#00798c", "multivariate TPE": "#edae49", "Optuna's default": "#66a182"}


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the figures, write the page and the picture beside it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="as it was given to benchmarks.search")
    parser.add_argument("--page", type=Path, required=True, help="Markdown file")
    options = parser.parse_args(arguments)
    figures = json.loads((options.out / "figures.json").read_text(encoding="utf-8"))
    before = options.page.read_text(encoding="utf-8") if options.page.exists() else ""
    picture = options.page.with_suffix(".png")
    draw(figures, picture)
    options.page.write_text(page(figures, picture.name, notes_of(before)), encoding="utf-8")


def page(figures: Mapping[str, Any], picture: str, notes: str) -> str:
    """The whole page."""
    runs = sorted({way["runs"] for problem in figures.values() for way in problem.values()})
    seeds = str(runs[0]) if len(runs) == 1 else f"{runs[0]} to {runs[-1]}"
    ours = [f"{overall(figures, 'ours', aim):.0f}" for aim in ("98 %", "99 %")]
    blocks = [
        "# Search: how many trainings it takes",
        "```sh\npython -m benchmarks.search --table path/to/yolobench --out runs/search\n"
        "python -m benchmarks.search_page --out runs/search --page docs/results/search.md\n```",
        f"Until 98 % / 99 % of the best hypervolume of a table of trained detectors is reached, ours needs {ours[0]} / "
        f"{ours[1]} trainings, as a median over the problems.",
        f"Tables are those of YOLOBench (arXiv 2307.13901). Every way is run {seeds} times on every problem; the "
        "figures are medians, the hypervolume is that of mAP50-95 and log latency against (least, slowest). What is "
        "no new training is not counted. Ours knows the latency of every detector beforehand, as it does in a study, "
        f"where it is predicted; the others learn it. Constants of ours were chosen on {', '.join(CHOSEN_ON)} alone.",
        table_text(figures),
        f"![share of the best hypervolume against trainings]({picture})",
        "## With 95 % intervals",
        _intervals(figures),
        NOTES,
        notes or "None yet.",
    ]
    return "\n\n".join(blocks) + "\n"


def _intervals(figures: Mapping[str, Any]) -> str:
    lines = ["| problem | way | runs | to 98 % | to 99 % |", "|---|---|---:|---:|---:|"]
    for problem, ways in figures.items():
        for way, found in ways.items():
            cells = [_with_interval(needed, found["trainings"]) for needed in found["needed"].values()]
            lines.append(f"| {problem} | {way} | {found['runs']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _with_interval(needed: Sequence[float | None], most: int) -> str:
    median, low, high = (f"> {most}" if value is None else f"{value:.0f}" for value in needed)
    return median if median == low == high else f"{median} ({low} to {high})"


def draw(figures: Mapping[str, Any], file: Path) -> None:
    """A panel for each problem: the median share of the best hypervolume against trainings."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    columns = min(3, len(figures))
    rows = -(-len(figures) // columns)
    drawn, panels = pyplot.subplots(rows, columns, figsize=(4.2 * columns, 3.2 * rows), squeeze=False, sharey=True)
    for panel in panels.flat[len(figures) :]:
        panel.set_visible(False)
    for panel, (problem, ways) in zip(panels.flat, figures.items(), strict=False):
        for way, found in ways.items():
            at = [int(count) for count in found["curve"]]
            shares = [100 * share for share in found["curve"].values()]
            bold = 2.4 if way == "ours" else 1.3
            panel.plot(at, shares, label=way, lw=bold, color=COLORS.get(way), zorder=3 if way == "ours" else 2)
        panel.set_xscale("log")
        panel.set_xticks([5, 10, 25, 50, 100, 300], labels=["5", "10", "25", "50", "100", "300"])
        panel.minorticks_off()
        panel.set_ylim(80, 100.5)
        panel.axhline(98, color="0.7", lw=0.8, ls=":")
        panel.set_title(problem, fontsize=10)
        panel.spines[["top", "right"]].set_visible(False)
    for panel in panels[-1]:
        panel.set_xlabel("trainings")
    for row in panels:
        row[0].set_ylabel("% of the best hypervolume")
    panels.flat[0].legend(fontsize=7, frameon=False, loc="lower right")
    drawn.tight_layout()
    drawn.savefig(file, dpi=110)
    pyplot.close(drawn)


if __name__ == "__main__":
    main()
