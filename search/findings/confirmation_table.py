"""A confirmation as a table for the terminal, and the lines below it."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from search.findings.selection import confirmed_study
from search.record.confirmation import Confirmation, ConfirmedStudy, Finalist
from search.record.latency_text import LATENCY, latency_text
from search.record.number_text import score, significant
from search.store.base import Store, StudyEntry
from spaces.display.terminal import table_console

TIE_MARK = "="
OFF_FRONT = "no"


def print_confirmation(store: Store, study: StudyEntry, confirmation: Confirmation) -> None:
    """Print the finalists, fastest first, and how they change the front."""
    console = table_console()
    settled = confirmed_study(store, study)
    console.print(_table(settled, confirmation), crop=False)
    for line in closing_lines(settled, confirmation):
        console.print(line, soft_wrap=True)


def _table(settled: ConfirmedStudy, confirmation: Confirmation) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("name", no_wrap=True)
    for title in ("mAP50-95", "in the study, ms", "confirmed, ms"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("ties")
    table.add_column("on the front")
    records = {record.name: record for record in settled.records}
    for member in confirmation.members:
        record = records[member.name]
        said, now = settled.said[member.name], record.measurement(LATENCY)
        accuracy = record.value("map50_95")
        cells = [member.name, "" if accuracy is None else score(accuracy), latency_text(said)]
        cells.append(significant(member.value) if now is None else latency_text(now))
        ties = f"{TIE_MARK} {', '.join(member.ties)}" if member.ties else ""
        table.add_row(*(Text(cell) for cell in (*cells, ties, _standing(settled, member))))
    return table


def _standing(settled: ConfirmedStudy, member: Finalist) -> str:
    if member.name in settled.front:
        return "yes"
    if member.name not in settled.dropped:
        return OFF_FRONT
    by = settled.dropped[member.name]
    return f"no longer: dominated by {by}" if by else "no longer: over a limit"


def closing_lines(settled: ConfirmedStudy, confirmation: Confirmation) -> tuple[str, ...]:
    """By which clock and why, what was settled, and what to do if other work disturbed."""
    clocks = {"wall": "wall time", "cpu": "CPU time"}
    clock = clocks[confirmation.clock]
    count = len(settled.front)
    front = f"{count} network{'s' * (count != 1)} on the front, {len(settled.dropped)} left it"
    if not confirmation.contended:
        why = "the device was idle" if confirmation.contended is False else "the system does not tell what else ran"
        return (f"{clock}: {why}; {front}",)
    why = "which other work hardly moves" if confirmation.clock == "cpu" else "which other work disturbs"
    seen = confirmation.circumstances or {}
    busy = seen.get("others_busy")
    kept = "" if busy is None else f" (others kept {busy:.1f} cores busy)"
    kept = " (the machine was slow for most of the time)" if seen.get("slow") else kept
    return (
        f"{clock}, {why}: the device was not idle{kept}; {front}",
        "contended: run `python -m search.confirm` again when nothing else runs there",
    )
