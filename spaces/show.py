"""Show what can be cut of a detector: `yolofront show yolo26s.yaml`.

Prints the channel groups as a table and draws them as a picture. A group's share is its part of the deployed (fused)
network's parameters and FLOPs: half of each layer that makes its channels and half of each that reads them (all of a
depthwise layer). So the shares of all groups and of the channels that stay whole add up to 100 %, and cutting half of
a group saves about its share. For a network that is cut, the shares are of its parent: before and after the cut.
Groups of the same tie keep equal widths.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.table import Table
from rich.text import Text

from spaces.base import Section, SpaceError
from spaces.command_line import CommandParser
from spaces.display.group_rows import CLASSES, IMGSZ, SECTIONS, GroupRow, Overview, PartialCost, total
from spaces.display.terminal import table_console
from spaces.durable import file_fault, write_bytes
from spaces.shown import TRACEBACK, print_error, program_fault

COLOURS: dict[Section | None, str] = {"backbone": "blue", "neck": "yellow", "detect": "green", None: "default"}
BAR = 24
"""Number of characters of the longest bar."""


def main(arguments: list[str]) -> int:
    """Run the command; return the exit status."""
    parser = CommandParser("spaces.show", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "what",
        metavar="MODEL",
        help="an Ultralytics model YAML by name, a .pt or .safetensors file, or a checkpoint's folder",
    )
    parser.add_argument("--model", metavar="YAML", help="model of weights that do not name theirs")
    parser.add_argument("--classes", type=_count, help=f"class count, where the file does not say (default: {CLASSES})")
    parser.add_argument("--imgsz", type=_count, help=f"image size in px (default: the file's own, else {IMGSZ})")
    parser.add_argument("--out", type=Path, metavar="PNG", help="picture (default: groups-MODEL.png, in this folder)")
    options = parser.parse_args(arguments)
    from spaces.display.charts import groups_png
    from spaces.display.overview import overview_of  # imports torch: not for --help

    seen = overview_of(options.what, model=options.model, classes=options.classes, imgsz=options.imgsz)
    out = options.out or Path(f"groups-{Path(options.what).stem}.png")
    write_bytes(out, groups_png(seen, headline(seen)))
    console = table_console()
    console.print(_table(seen))
    for line in remarks(seen):
        console.print(line, soft_wrap=True)
    console.print(f"drawn to {out}", soft_wrap=True)
    return 0


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is below 1")
    return number


def headline(seen: Overview) -> str:
    """Return the network in one line: name, parameters and FLOPs, before and after where it is cut."""
    parameters = [_short(count / 1e6) for count in dict.fromkeys(seen.parameters)]
    flops = [_short(count / 1e9) for count in dict.fromkeys(seen.flops)]
    return (
        f"{seen.title}: {' → '.join(parameters)} M parameters, {' → '.join(flops)} GFLOPs deployed "
        f"({seen.classes} classes, {seen.imgsz} px)"
    )


def _short(number: float) -> str:
    """Return a number with three digits, as tables of models show it."""
    return f"{number:#.3g}".removesuffix(".")


def _table(seen: Overview) -> Table:
    table = Table(title=headline(seen), title_justify="left", title_style="bold", box=None, padding=(0, 1))
    for name in ("group", "section", "stage", "tie"):
        table.add_column(name, no_wrap=True)
    for name in ("width", "parameters %", "FLOPs %"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("FLOPs", no_wrap=True)
    longest = max(row.part.flops[0] for row in seen.groups)
    for section in SECTIONS:
        rows = seen.section(section)
        for row in rows:
            table.add_row(*_cells(row, seen.is_cut), _bar(row, longest))
        _add_sum(table, seen, f"{section}, {len(rows)} groups", seen.section_part(section), COLOURS[section])
    _add_sum(table, seen, "stays whole", seen.stays_whole, "default")
    everything = total([*(row.part for row in seen.groups), seen.stays_whole])
    _add_sum(table, seen, "network", everything, "default")
    return table


def _cells(row: GroupRow, cut: bool) -> Iterator[Text | str]:
    yield row.name
    yield Text(row.section, style=COLOURS[row.section])
    yield f"P{row.stage}"
    yield row.tie or ""
    yield f"{row.width} → {row.kept}" if cut and row.kept < row.width else str(row.width)
    yield _share(row.part.parameters, cut)
    yield _share(row.part.flops, cut)


def _add_sum(table: Table, seen: Overview, name: str, part: PartialCost, colour: str) -> None:
    cells = (name, "", "", "", "", _share(part.parameters, seen.is_cut), _share(part.flops, seen.is_cut), "")
    table.add_row(*cells, style=f"bold {colour}", end_section=True)


def _share(pair: tuple[float, float], cut: bool) -> str:
    """Return per cent; `-` for a part that is not deployed."""
    if pair[0] == 0:
        return "-"
    before, after = (f"{100 * share:.2f}" for share in pair)
    return f"{before} → {after}" if cut else before


def _bar(row: GroupRow, longest: float) -> Text:
    """Return a bar exact to an eighth of a character; cut channels are dotted."""
    before, after = (BAR * share / longest for share in row.part.flops)
    full, eighths = divmod(round(8 * after), 8)
    bar = "█" * full + " ▏▎▍▌▋▊▉"[eighths].strip()
    return Text(bar + "░" * (round(before) - len(bar)), style=COLOURS[row.section])


def remarks(seen: Overview) -> Iterator[str]:
    """Yield remarks on the table, one line each."""
    yield "stay whole: " + ", ".join(seen.whole_layers)
    if not all(row.is_deployed for row in seen.groups):
        yield "-: only training needs this branch of the head; it is not deployed"
    if seen.repeats:
        yield "residual bottlenecks, which can be left out: " + ", ".join(seen.repeats)
    if seen.dropped:
        yield "left out: " + ", ".join(seen.dropped)
    for operation in seen.unknown_operations:
        yield f"unknown operation {operation}: the channels that it reads stay whole"


def run(arguments: list[str]) -> int:
    """Run the command; errors that users can fix become one line on stderr and an exit code."""
    try:
        return main(arguments)
    except SpaceError as error:
        print_error(error)
        return 2
    except OSError as error:
        print_error(file_fault(error))
        return 1
    except Exception as error:
        if os.environ.get(TRACEBACK):
            raise
        print_error(program_fault(error))
        return 1


if __name__ == "__main__":
    raise SystemExit(run(sys.argv[1:]))
