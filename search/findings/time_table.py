"""The time that a study took, by phase."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.box import SIMPLE_HEAD
from rich.table import Table

from search.findings.leaderboard import parent_of
from search.record.number_text import duration
from search.record.stopwatch import PHASES
from search.record.trial import TrialRecord

TABLE_PHASES = (PHASES[0], "parent", "donors", "sensitivity", *PHASES[1:], "repeating", "polishing")
OWN_PHASES = ("data", "database")
"""Phases of a reference row that are not counted as work on that row."""
MIN_SHOWN_S = 0.05
"""Minimum seconds of a phase that has a line; less would be shown as 0.0 s."""


@dataclass(frozen=True)
class PhaseTime:
    """Wall seconds of one phase, summed over all records, and their share of the total in [0, 1]."""

    phase: str
    seconds: float
    share: float


def time_table(
    records: Sequence[TrialRecord], since: datetime | None = None, more_seconds: Mapping[str, float] | None = None
) -> tuple[PhaseTime, ...]:
    """Return the seconds of all records by phase, without phases below `MIN_SHOWN_S`.

    All phases of the parent's row count as `parent`, those of donors and controls as `donors`, those of repeated
    trainings as `repeating`, those of polished networks as `polishing`. Trials, copied ones too, count under their own
    phases. With several workers the sum exceeds the time on the clock.

    Args:
        since: Reference rows that finished earlier took no time in this study: they were made for another one.
        more_seconds: Seconds by phase that no record holds, such as those of `data`.
    """
    parent = parent_of(records)
    sums = dict.fromkeys(TABLE_PHASES, 0.0)
    for record in records:
        if record.is_reference and since is not None and record.finished is not None and record.finished < since:
            continue
        row_phase = _row_phase(record, parent)
        for phase, seconds in record.seconds.items():
            if record.is_copied and phase == "training":
                continue  # in the study that it was copied from
            place = row_phase if row_phase is not None and phase not in OWN_PHASES else phase
            sums[place if place in sums else "other"] += seconds
    for phase, seconds in (more_seconds or {}).items():
        sums[phase if phase in sums else "other"] += seconds
    sums = {phase: seconds for phase, seconds in sums.items() if seconds >= MIN_SHOWN_S}
    total = sum(sums.values())
    return tuple(PhaseTime(phase, seconds, seconds / total) for phase, seconds in sums.items())


def _row_phase(record: TrialRecord, parent: TrialRecord | None) -> str | None:
    """Return the phase that a reference row counts under; None for a trial."""
    if not record.is_reference or record.is_copied:
        return None
    if record.is_repeated:
        return "repeating"
    return "parent" if record is parent else "polishing" if record.is_polished else "donors"


def terminal_times(times: Sequence[PhaseTime]) -> Table:
    """Return the table for rich, with the sum as its last line."""
    table = Table(title="where the time went", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("phase")
    table.add_column("time", justify="right")
    table.add_column("share", justify="right")
    for time in times:
        table.add_row(time.phase, duration(time.seconds), f"{100 * time.share:.0f} %")
    table.add_section()
    table.add_row("sum", duration(sum(time.seconds for time in times)), "")
    return table
