"""Notes for the dashboard, made from the records: one for a trial, one for the study. Markdown, under 2 kB each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from objectives.quantities import LATENCY_MS, MAP50_95, SHARE_PRUNED, SIZE_MIB
from search.findings.columns import Column, columns_of, requested_quantities
from search.findings.leaderboard import Row
from search.findings.notes import note
from search.pages.report import headline
from search.record.latency_text import legend
from search.record.number_text import score
from search.record.trial import TrialRecord, trained_accuracy
from search.record.words import FRONT_MARK, OUTCOME_WORDS, SPEED_UP, gain_title
from spaces.shown import markdown_text

MAX_REASON_CHARACTERS = 500
MAX_ROWS = 16
STUDY_COLUMNS = tuple(map(Column.of, (MAP50_95, LATENCY_MS, SHARE_PRUNED, SIZE_MIB)))


def trial_note(row: Row, parent: Row | None, pictures: Mapping[str, str] | None = None) -> str:
    """Return a trial's outcome, its figures beside the parent's, and its pictures.

    Args:
        row: The trial.
        parent: The parent's row; None if it is not stored.
        pictures: Addresses of images by title.
    """
    record = row.record
    standing = "on the front" if row.on_front else OUTCOME_WORDS[record.outcome]
    opening = f"**{standing}**"
    if remark := note(record, row.roles).removeprefix(f"{standing}: "):
        opening += f": {markdown_text(remark[:MAX_REASON_CHARACTERS])}"
    blocks = [opening]
    figures = _figures(row, parent)
    if figures:
        head = ["|  | this trial | parent |", "| --- | ---: | ---: |"]
        blocks.append("\n".join([*head, *(_line(list(map(markdown_text, line))) for line in figures)]))
    blocks += [", ".join(legend([record, *([parent.record] if parent else [])]))] if figures else []
    if row.gain_text and row.speed_up_text:
        blocks.append(
            f"Against the parent: {row.gain_text} {trained_accuracy([record]).title}, {row.speed_up_text} speed."
        )
    blocks += [f"![{what}]({address})" for what, address in (pictures or {}).items()]
    return "\n\n".join(filter(None, blocks)) + "\n"


def _figures(row: Row, parent: Row | None) -> list[tuple[str, str, str]]:
    columns = columns_of([row.record])
    lines = [(column.title, row.text(column), parent.text(column) if parent else "") for column in columns]
    theirs = parent.record if parent else None
    own = trained_accuracy([row.record])
    for accuracy in row.record.evaluations:
        if accuracy.split == "val":
            best = _best_f1_text(row.record)
            lines.append(("best F1 (confidence)", best, _best_f1_text(theirs) if theirs else ""))
        else:
            values = [each.value(own.name, accuracy.split) if each else None for each in (row.record, theirs)]
            ours_text, theirs_text = ("" if value is None else score(value) for value in values)
            lines.append((f"{own.title}, {accuracy.split}", ours_text, theirs_text))
    return [line for line in lines if line[1]]


def _best_f1_text(record: TrialRecord) -> str:
    found = record.evaluation()
    return "" if found is None else f"{found.best_f1:.3f} ({found.best_f1_confidence:.2f})"


def study_note(rows: Sequence[Row], report: str | None = None) -> str:
    """Return the headline and a short leaderboard of the reference rows and the front.

    Args:
        rows: The whole leaderboard.
        report: Address of the full report.
    """
    chosen = [row for row in rows if row.on_front or (row.record.is_beside_trials and not row.record.is_repeated)]
    chosen.sort(key=lambda row: (not row.record.is_beside_trials, row.values[LATENCY_MS.name] or 0.0))
    requested = requested_quantities([row.record for row in rows])
    columns = (*STUDY_COLUMNS, *map(Column.of, requested))
    gain = gain_title(row.record for row in rows)
    lines = [
        _line(["", "name", *(markdown_text(column.title) for column in columns), gain, SPEED_UP]),
        _line(["---", "---", *("---:" for _ in columns), "---:", "---:"]),
    ]
    for row in chosen[:MAX_ROWS]:
        cells = [markdown_text(row.text(column)) for column in columns]
        name = markdown_text(row.record.name)
        lines.append(_line([FRONT_MARK if row.on_front else "", name, *cells, row.gain_text, row.speed_up_text]))
    marks = ", ".join(legend([row.record for row in chosen[:MAX_ROWS]]))
    blocks = [markdown_text(headline(rows)), "\n".join(lines), marks]
    if len(chosen) > MAX_ROWS:
        blocks.append(f"{len(chosen) - MAX_ROWS} more are in the report.")
    if report:
        blocks.append(f"[full report]({report})")
    return "\n\n".join(filter(None, blocks)) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
