"""The leaderboard for a terminal: it fits the width by dropping columns, least worth first, and never cuts a figure."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions
from rich.text import Text

from objectives.quantities import F1, FLOPS_G, LATENCY_MS, MAP50, PRECISION, RECALL, SHARE_PRUNED, SIZE_MIB
from search.findings.columns import columns_of
from search.findings.leaderboard import Row
from search.record.trial import Outcome, trained_accuracy
from search.record.words import FRONT_MARK, NAME_HEAD, NOTE_HEAD, SPEED_UP, gain_title
from spaces.shown import shown

DROPPED_FIRST = (SIZE_MIB.name, PRECISION.name, RECALL.name, MAP50.name, FLOPS_G.name, SHARE_PRUNED.name)
"""Columns that go first where the terminal is narrow, in this order."""
KEPT = 2
"""Number of columns that always stay: the first accuracy and the latency."""
NARROWEST_NOTE = 44
"""Minimum width of a column of notes; where there is less, a note stands below its row."""
INDENT = 4
"""Indentation of a note below its row."""
GAP = " "


@dataclass(frozen=True)
class _Cells:
    """One column as text: its heading, and one cell for each row, each with its style."""

    key: str
    title: str
    cells: tuple[Text, ...]

    @property
    def width(self) -> int:
        return max([len(self.title), *(cell.cell_len for cell in self.cells)])


@dataclass(frozen=True)
class TerminalTable:
    """Renderable of rich: the rows as a table that is as wide as its console at most.

    Only a name that is wider than the console makes a longer line.
    """

    rows: Sequence[Row]
    title: str = ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        """Yield the lines of the table."""
        names = tuple(Text(shown(row.record.name), style="bold" if row.on_front else "") for row in self.rows)
        name = _Cells("name", NAME_HEAD, names)
        marks = _Cells("", "", tuple(Text(FRONT_MARK if row.on_front else " ", style="green") for row in self.rows))
        left = options.max_width - marks.width - name.width - len(GAP)
        own = trained_accuracy(row.record for row in self.rows)
        columns = _fitting(_columns(self.rows), left, own.name)
        notes = [row.note for row in self.rows]
        room = left - sum(each.width + len(GAP) for each in columns) - len(GAP)
        beside = room >= min(NARROWEST_NOTE, max(map(len, notes), default=0))
        if self.title:
            yield Text(self.title, style="italic", no_wrap=True, overflow="ignore")
        for line in _lines(self.rows, [marks, name, *columns], notes, room if beside else None, options.max_width):
            line.no_wrap, line.overflow = True, "ignore"
            yield line

    def __post_init__(self) -> None:
        """Read the rows once: they may be an iterator."""
        object.__setattr__(self, "rows", tuple(self.rows))


def terminal_table(rows: Sequence[Row], title: str = "") -> TerminalTable:
    """Return the leaderboard for a console of rich. The front is marked, the best of each column is bold."""
    return TerminalTable(rows, title)


def _columns(rows: Sequence[Row]) -> list[_Cells]:
    columns = [column for column in columns_of([row.record for row in rows]) if column.key != F1.name]
    found = [
        _Cells(
            column.key, column.narrow or column.title, tuple(_figure(row, column.key, row.text(column)) for row in rows)
        )
        for column in columns
    ]
    further: tuple[tuple[str, str, Callable[[Row], str]], ...] = (
        ("gain", gain_title(row.record for row in rows), lambda row: row.gain_text),
        ("speed_up", SPEED_UP, lambda row: row.speed_up_text),
    )
    found += [_Cells(key, title, tuple(Text(text(row)) for row in rows)) for key, title, text in further]
    return found


def _figure(row: Row, key: str, text: str) -> Text:
    return Text(text, style="bold green" if key in row.best else "")


def _fitting(columns: list[_Cells], width: int, accuracy: str) -> list[_Cells]:
    """Return the columns without those that there is no room for; this accuracy always stays."""
    first = [key for key in DROPPED_FIRST if any(each.key == key for each in columns)]
    always = (accuracy, LATENCY_MS.name)
    rest = [each.key for each in reversed(columns) if each.key not in (*first, *always)]
    for key in (*first, *rest):
        if sum(each.width + len(GAP) for each in columns) <= width:
            break
        columns = [each for each in columns if each.key != key]
    return columns


def _lines(
    rows: Sequence[Row], columns: Sequence[_Cells], notes: Sequence[str], room: int | None, width: int
) -> Iterator[Text]:
    """Yield heading, rule, and the lines of each row.

    Args:
        room: Width of the column of notes; None if they stand below the rows.
    """
    heading = GAP.join(_aligned(Text(each.title), each, place).plain for place, each in enumerate(columns))
    heading += f"{GAP}{GAP}{NOTE_HEAD}" if room is not None and any(notes) else ""
    yield Text(heading.rstrip(), style="bold")
    yield Text("─" * min(width, len(heading.rstrip()) if room is None else width))
    indent = sum(each.width + len(GAP) for each in columns) + len(GAP)
    for number, row in enumerate(rows):
        style = "dim" if row.record.outcome is not Outcome.COMPLETE else ""
        cells = [_aligned(each.cells[number], each, place) for place, each in enumerate(columns)]
        line = Text(GAP, style=style).join(cells)
        line.style = style
        said = textwrap.wrap(shown(notes[number], most=None), room or max(20, width - INDENT))
        if room is not None and said:
            line.append(f"{GAP}{GAP}{said.pop(0)}")
        line.rstrip()
        yield line
        yield from (Text(" " * (indent if room is not None else INDENT) + each, style="dim") for each in said)


def _aligned(cell: Text, column: _Cells, place: int) -> Text:
    """Return a cell as wide as its column: marks and names begin at the left, figures end at the right."""
    blank = " " * (column.width - cell.cell_len)
    return Text.assemble(cell, blank) if place < 2 else Text.assemble(blank, cell)
