"""Writes the results page of the benchmark of search from its JSON, with pictures, so that no figure is typed by hand.

All figures go beside the page, as one JSON file, too.

    python -m benchmarks.search_page --out runs/search --page docs/results/search.md

`--rungs` and `--end-to-end` add what the other benchmarks found.
What stands on the page below "Notes" is written by people and stays.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.digits_surrogate import SEEDS as SURROGATE_SEEDS
from benchmarks.digits_surrogate import table_text as surrogate_table
from benchmarks.end_to_end import table_text as end_to_end_table
from benchmarks.rungs import tables as rungs_tables
from benchmarks.searching.figures import COMPARED_AT, LEAST_RUNS, overall, table_text
from benchmarks.searching.pictures import draw_end_to_end, draw_lost, draw_trainings
from benchmarks.searching.problems import CHOSEN_ON
from benchmarks.searching.ways import ASKED_IN_VAIN, SLOW_ASKED_IN_VAIN
from benchmarks.setup.markdown import markdown_table, page_text, read_notes
from benchmarks.suggestion import sentence

OWN = "digits"
PICTURES = {"tables": "", "rungs": "-rungs", "end_to_end": "-end-to-end"}
"""What is added to the page's name for the picture of a part."""
COMMANDS = """```sh
python -m benchmarks.search --table path/to/yolobench --table benchmarks/tables/digits --out runs/search
python -m benchmarks.digits_surrogate --out runs/search
python -m benchmarks.suggestion --out runs/search
python -m benchmarks.rungs --out runs/rungs
python -m benchmarks.end_to_end --out runs/end_to_end
python -m benchmarks.search_page --out runs/search --rungs runs/rungs --end-to-end runs/end_to_end \\
    --page docs/results/search.md
```"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the figures, write the page and the pictures beside it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="as it was given to benchmarks.search")
    parser.add_argument("--rungs", type=Path, help="as it was given to benchmarks.rungs")
    parser.add_argument("--end-to-end", type=Path, help="as it was given to benchmarks.end_to_end")
    parser.add_argument("--page", type=Path, required=True, help="Markdown file")
    options = parser.parse_args(arguments)
    found = {
        "tables": _read(options.out / "figures.json"),
        "surrogate": _read(options.out / "surrogate.json"),
        "suggestion": _read(options.out / "suggestion.json"),
        "rungs": None if options.rungs is None else _read(options.rungs / "figures.json"),
        "end_to_end": None if options.end_to_end is None else _read(options.end_to_end / "figures.json"),
    }
    figures = {name: part for name, part in found.items() if part is not None}
    if "tables" not in figures:
        parser.error(f"benchmarks.search wrote no figures into {options.out}")
    text = page(figures, _drawn(figures, options.page), read_notes(options.page))
    options.page.with_suffix(".json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    options.page.write_text(text, encoding="utf-8")


def _drawn(figures: Mapping[str, Any], beside: Path) -> dict[str, str]:
    """Draw what there is beside the page; names of the files by part."""
    files = {part: beside.with_name(f"{beside.stem}{ending}.png") for part, ending in PICTURES.items()}
    draw_trainings(figures["tables"], files["tables"])
    if "rungs" in figures:
        draw_lost(figures["rungs"]["lost"], files["rungs"])
    if "end_to_end" in figures:
        draw_end_to_end(figures["end_to_end"], files["end_to_end"])
    return {part: file.name for part, file in files.items()}


def _read(file: Path) -> dict[str, Any] | None:
    if not file.exists():
        return None
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def page(figures: Mapping[str, Any], pictures: Mapping[str, str], notes: str) -> str:
    """The whole page.

    Args:
        figures: Of the tables, and of those other benchmarks that were run.
        pictures: Names of the files beside the page, by part.
    """
    tables = figures["tables"]
    published = {name: each for name, each in tables.items() if not name.startswith(OWN)}
    own = {name: each for name, each in tables.items() if name.startswith(OWN)}
    blocks = [
        "# Search: how many trainings it takes",
        COMMANDS,
        "The last command wrote this page from what the others found; only the notes at its end are by hand.",
        *(_published(published, pictures["tables"]) if published else ()),
        *(_own(own) if own else ()),
        *_others(figures, pictures),
        "## With 95 % intervals",
        f"Where there are {LEAST_RUNS} runs or more.",
        _intervals(tables),
    ]
    return page_text(blocks, notes)


def _others(figures: Mapping[str, Any], pictures: Mapping[str, str]) -> list[str]:
    """Sections of the other benchmarks; nothing of those that were not run."""
    blocks: list[str] = []
    if "surrogate" in figures:
        blocks += ["## The space of our own table", SURROGATE, surrogate_table(figures["surrogate"])]
    if "suggestion" in figures:
        blocks += ["## One suggestion", SUGGESTION, sentence(figures["suggestion"])]
    if "rungs" in figures:
        blocks += ["## Stopping early", RUNGS, *rungs_tables(figures["rungs"])]
        blocks.append(f"![front members stopped, by latency]({pictures['rungs']})")
    if "end_to_end" in figures:
        blocks += ["## End to end", END_TO_END, end_to_end_table(figures["end_to_end"])]
        blocks.append(f"![hypervolume against seconds of training]({pictures['end_to_end']})")
    return blocks


def _published(figures: Mapping[str, Any], picture: str) -> list[str]:
    ours = [f"{overall(figures, 'ours', aim):g}" for aim in ("98 %", "99 %")]
    return [
        "## Published tables",
        f"Until 98 % / 99 % of the best hypervolume of a table of trained detectors is reached, ours needs {ours[0]} / "
        f"{ours[1]} trainings, as a median over the problems.",
        f"Tables are those of YOLOBench (arXiv 2307.13901). {_runs(figures)} The figures are medians, the hypervolume "
        f"is that of mAP50-95 and log latency against (least, slowest). {IN_VAIN} Ours "
        "knows the latency of every detector beforehand, as it does in a study, where it is predicted; the others "
        f"learn it. It is given the least accuracy of the table as its reference. "
        f"Constants of ours were chosen on {', '.join(CHOSEN_ON)} alone.",
        table_text(figures),
        f"![share of the best hypervolume against trainings]({picture})",
    ]


def _own(figures: Mapping[str, Any]) -> list[str]:
    ways = list(dict.fromkeys(way for each in figures.values() for way in each))
    rows = [[way, *(_regret(each.get(way)) for each in figures.values())] for way in ways]
    times = [[way, *(_times(each.get(way)) for each in figures.values())] for way in ways if way != "ours"]
    return [
        "## Our own table",
        f"Cut and grafted detectors on digit scenes ([made by](../../benchmarks/variants.py)). {_runs(figures)} "
        "Choices were made on every other ten variants, these are figures of those between them. "
        f"What a sampler asks for is the variant of the same donors whose ratios come nearest. {IN_VAIN} Each seed "
        "searches nine tenths of the variants, drawn by chance; of those that were trained three times it takes one. "
        "Ours is told the latency of all variants, their widths, and what halving each layer of the parent does; it is "
        "given the least accuracy of the table as its reference. Trainings that took more than twice the median of "
        "all, as other work held them up, count as the median.",
        table_text(figures),
        markdown_table([f"hypervolume regret after {COMPARED_AT} trainings", *figures], rows),
        markdown_table(["seconds of training to that, as a multiple of ours", *figures], times),
    ]


def _regret(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return ""
    fewer = " (after all that there are)" if found["trainings"] < COMPARED_AT else ""
    return f"{100 * found['regret']:.1f} %{fewer}"


def _times(found: Mapping[str, Any] | None) -> str:
    if found is None or not found["times_ours"]:
        return ""
    median, *interval = (f"{each:.1f}" for each in found["times_ours"])
    return f"{median} ({interval[0]} to {interval[1]})" if interval else median


def _runs(figures: Mapping[str, Any]) -> str:
    runs = sorted({way["runs"] for problem in figures.values() for way in problem.values()})
    seeds = str(runs[0]) if len(runs) == 1 else f"{runs[0]} to {runs[-1]}"
    return f"Ways are run {seeds} times on each problem, the slow ones least (the last table says how often)."


IN_VAIN = (
    f"What is no new training is not counted; a sampler that names nothing new {ASKED_IN_VAIN} times in a row (GP, "
    f"which thinks for seconds, {SLOW_ASKED_IN_VAIN} times) is told of one drawn at random."
)
SURROGATE = (
    "The same space, continuous: a linear model and trees, fitted to the table, say what any point reaches; a training "
    "is disturbed as much as seeds differ, our foresight of latency by 3 %. "
    f"Medians of {SURROGATE_SEEDS} seeds; NSGA-II has populations of ten, or fifty trainings would be one."
)
SUGGESTION = "In the space of our own table, with records in SQLite; both samplers asked in one run."
RUNGS = (
    "Learning curves of our own table played back. Members of the table's true front that were begun and then stopped "
    "are counted in all and by tenth of the range of log latency, the fastest first."
)
END_TO_END = "Real trainings on digits: studies in processes of their own, compared at equal seconds of training."


def _intervals(figures: Mapping[str, Any]) -> str:
    lines = ["| problem | way | runs | to 98 % | to 99 % |", "|---|---|---:|---:|---:|"]
    for problem, ways in figures.items():
        for way, found in ways.items():
            cells = [_with_interval(needed, found["trainings"]) for needed in found["needed"].values()]
            lines.append(f"| {problem} | {way} | {found['runs']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _with_interval(needed: Sequence[float | None], most: int) -> str:
    median, *interval = (f"> {most}" if value is None else f"{value:g}" for value in needed)
    return median if set(interval) <= {median} else f"{median} ({interval[0]} to {interval[1]})"


if __name__ == "__main__":
    main()
