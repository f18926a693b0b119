"""A confirmation as a table for the terminal, and the lines below it."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from search.findings.selection import confirmed_study
from search.record.confirmation import Confirmation, Finalist
from search.record.confirmed_study import ConfirmedStudy
from search.record.latency_text import LATENCY, latency_text
from search.record.number_text import score, significant
from search.record.trial import trained_accuracy
from search.store.base import Store, StudyEntry
from spaces.display.terminal import table_console

TIE_MARK = "="
OFF_FRONT = "no"


def print_confirmation(store: Store, study: StudyEntry, confirmation: Confirmation) -> None:
    """Print the finalists, fastest first, and how they change the front."""
    console = table_console()
    confirmed = confirmed_study(store, study)
    console.print(_table(confirmed, confirmation), crop=False)
    for line in closing_lines(confirmed, confirmation):
        console.print(line, soft_wrap=True)


def _table(confirmed: ConfirmedStudy, confirmation: Confirmation) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("name", no_wrap=True)
    own = trained_accuracy(confirmed.records)
    for title in (own.title, "in the study, ms", "confirmed, ms"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("ties")
    table.add_column("on the front")
    records = {record.name: record for record in confirmed.records}
    for member in confirmation.members:
        record = records[member.name]
        before, now = confirmed.trial_latencies[member.name], record.measurement(LATENCY)
        accuracy = record.value(own.name)
        cells = [member.name, "" if accuracy is None else score(accuracy), latency_text(before)]
        cells.append(significant(member.value) if now is None else latency_text(now))
        ties = f"{TIE_MARK} {', '.join(member.ties)}" if member.ties else ""
        table.add_row(*(Text(cell) for cell in (*cells, ties, _front_text(confirmed, member))))
    return table


def _front_text(confirmed: ConfirmedStudy, member: Finalist) -> str:
    if member.name in confirmed.front:
        return "yes"
    if member.name not in confirmed.dropped:
        return OFF_FRONT
    by = confirmed.dropped[member.name]
    return f"no longer: dominated by {by}" if by else "no longer: over a limit"


def closing_lines(confirmed: ConfirmedStudy, confirmation: Confirmation) -> tuple[str, ...]:
    """Return the clock with its reason, the size of the front, and the remedy if other work was seen."""
    clocks = {"wall": "wall time", "cpu": "CPU time"}
    clock = clocks[confirmation.clock]
    count = len(confirmed.front)
    front = f"{count} network{'s' * (count != 1)} on the front, {len(confirmed.dropped)} left it"
    if not confirmation.contended:
        why = "the device was idle" if confirmation.contended is False else "the system does not show other work"
        return (f"{clock}: {why}; {front}",)
    why = "which other work hardly changes" if confirmation.clock == "cpu" else "which other work changes"
    seen = confirmation.circumstances or {}
    busy = seen.get("others_busy")
    kept = "" if busy is None else f" (others kept {busy:.1f} cores busy)"
    kept = " (the machine was slow for most of the time)" if seen.get("slow") else kept
    return (
        f"{clock}, {why}: the device was not idle{kept}; {front}",
        "contended: run `yolofront confirm` again when nothing else runs there",
    )
