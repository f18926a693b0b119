"""The leaderboard's rows as Markdown and as CSV. `search.findings.terminal` writes them on a terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from objectives.quantities import BEST_F1_CONFIDENCE, QUANTITIES
from search.findings.columns import (
    AT_BEST_F1,
    COLUMNS,
    F1_COLUMNS,
    MAP_COLUMNS,
    Column,
    columns_of,
    requested_quantities,
)
from search.findings.leaderboard import Row
from search.record.latency_text import FURTHER, LATENCY, further_names, is_latency
from search.record.trial import TrialRecord
from search.record.words import FRONT_MARK, NAME_HEAD, NOTE_HEAD, SPEED_UP, gain_title
from spaces.shown import csv_cell, markdown_text


def shortened(rows: Sequence[Row], trials: int = 40) -> tuple[Row, ...]:
    """Return all reference rows, all members of the front, and further trials up to `trials` of them."""
    wanted = {row.record.name for row in rows if row.record.is_beside_trials or row.on_front}
    shown = sum(row.on_front and not row.record.is_beside_trials for row in rows)
    for row in rows:
        if row.record.name not in wanted and shown < trials:
            wanted.add(row.record.name)
            shown += 1
    return tuple(row for row in rows if row.record.name in wanted)


def markdown(rows: Sequence[Row], columns: Sequence[Column] | None = None) -> str:
    """Return a GitHub-flavoured table; the best of each column is bold.

    Args:
        columns: Those of the rows' records by default.
    """
    columns = columns or _columns(rows)
    gain = gain_title(row.record for row in rows)
    titles = ["", NAME_HEAD, *(markdown_text(column.title) for column in columns), gain, SPEED_UP, NOTE_HEAD]
    rules = ["---", "---", *("---:" for _ in columns), "---:", "---:", "---"]
    lines = [_markdown_line(titles), _markdown_line(rules)]
    for row in rows:
        texts = [(column.key in row.best, markdown_text(row.text(column))) for column in columns]
        cells = [f"**{text}**" if is_best else text for is_best, text in texts]
        mark = FRONT_MARK if row.on_front else ""
        rest = map(markdown_text, (row.gain_text, row.speed_up_text, row.note))
        lines.append(_markdown_line([mark, markdown_text(row.record.name), *cells, *rest]))
    return "\n".join(lines) + "\n"


def _columns(rows: Sequence[Row]) -> tuple[Column, ...]:
    return columns_of([row.record for row in rows])


def _markdown_line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def csv_text(rows: Sequence[Row], splits: Sequence[str] = ("val",)) -> str:
    """Return every figure at full precision, one line per record; accuracy columns once for each split.

    Text that a spreadsheet would compute begins with a `'`.
    """
    buffer = io.StringIO()
    params = list(dict.fromkeys(name for row in rows for name in row.record.params))
    requested = requested_quantities([row.record for row in rows])
    known = [column.key for column in COLUMNS if not is_latency(column.key)]
    cost = [key for key in known if QUANTITIES[key].before_training]
    cost += [each.name for each in requested if each.before_training]
    latencies = (LATENCY, *further_names(row.record for row in rows))
    accuracy = [column.key for column in (*MAP_COLUMNS, *F1_COLUMNS, *AT_BEST_F1)]
    accuracy += [BEST_F1_CONFIDENCE.name, *(each.name for each in requested if not each.before_training)]
    fields = [f"{split}.{name}" for split in splits for name in accuracy]
    tail = ["gain", "speed_up", "seconds", "checkpoint", "lineage", "reason", "note"]
    writer = csv.writer(buffer, lineterminator="\n")
    titles = ["name", "number", "outcome", "on_front", *fields, *cost]
    titles += [title for name in latencies for title in _latency_titles(name)] + tail
    writer.writerow(map(csv_cell, [*titles, *(f"params.{name}" for name in params)]))
    for row in rows:
        record = row.record
        writer.writerow(
            csv_cell(cell)
            for cell in [record.name, record.number, record.outcome.value, row.on_front]
            + [record.value(name, split) for split in splits for name in accuracy]
            + [record.value(name) for name in cost]
            + [cell for name in latencies for cell in _latency(record, name)]
            + [row.gain, row.speed_up]
            + [sum(record.seconds.values()), record.checkpoint, record.lineage, record.reason, row.note]
            + [record.params.get(name) for name in params]
        )
    return buffer.getvalue()


def _latency_titles(name: str) -> list[str]:
    """Return `latency_ms`, `latency_low_ms`, ...; for a further target `latency_ms.openvino-cpu`, ..."""
    target = f".{name.removeprefix(FURTHER)}" if name != LATENCY else ""
    figures = ("ms", "low_ms", "high_ms")
    kinds = (*figures, "runs", "ratio", "contended", *(f"predicted_{figure}" for figure in figures))
    return [f"latency_{kind}{target}" for kind in kinds]


def _latency(record: TrialRecord, name: str) -> list[float | bool | None]:
    """Return the cells of a latency. Predicted figures have their own columns, apart from measured ones."""
    found = record.measurement(name)
    if found is None:
        return [None] * 9
    figures = [found.value, found.low, found.high]
    if found.predicted:
        return [None] * 6 + figures
    return [*figures, found.runs, found.ratio, found.contended, None, None, None]


def splits_of(records: Sequence[TrialRecord]) -> tuple[str, ...]:
    """Return the names of all splits that were evaluated, val first."""
    names = dict.fromkeys(["val", *(found.split for record in records for found in record.evaluations)])
    return tuple(names)
