"""Where the time of a study went, by phase."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.box import SIMPLE_HEAD
from rich.table import Table

from search.findings.leaderboard import parent_of
from search.record.number_text import duration
from search.record.stopwatch import PHASES as TRIAL_PHASES
from search.record.trial import TrialRecord

PHASES = (TRIAL_PHASES[0], "parent", "donors", "sensitivity", *TRIAL_PHASES[1:], "polishing")
OWN_PHASES = ("data", "database")
"""Phases that a reference row does not count as its own making."""
LEAST_S = 0.05
"""Shown as 0.0 s: not worth a line."""


@dataclass(frozen=True)
class PhaseTime:
    """Wall seconds of one phase, summed over all records, and their share of the whole in [0, 1]."""

    phase: str
    seconds: float
    share: float


def time_table(
    records: Sequence[TrialRecord], since: datetime | None = None, more_seconds: Mapping[str, float] | None = None
) -> tuple[PhaseTime, ...]:
    """Sum the seconds of all records by phase; phases that took no time to speak of are left out.

    The making of the parent counts as `parent`, that of donors and controls as `donors`, of polished networks as
    `polishing`, whatever they did meanwhile;
    trials count by what they did. With several workers the sum exceeds the time on the clock.

    Args:
        since: Reference rows finished before this (found again, made for an earlier study) took no time here.
        more_seconds: Time by phase that no record knows of, such as `data`.
    """
    parent = parent_of(records)
    sums = dict.fromkeys(PHASES, 0.0)
    for record in records:
        if record.is_reference and since is not None and record.finished is not None and record.finished < since:
            continue
        making = _making(record, parent)
        for phase, seconds in record.seconds.items():
            place = making if making is not None and phase not in OWN_PHASES else phase
            sums[place if place in sums else "other"] += seconds
    for phase, seconds in (more_seconds or {}).items():
        sums[phase if phase in sums else "other"] += seconds
    sums = {phase: seconds for phase, seconds in sums.items() if seconds >= LEAST_S}
    whole = sum(sums.values())
    return tuple(PhaseTime(phase, seconds, seconds / whole) for phase, seconds in sums.items())


def _making(record: TrialRecord, parent: TrialRecord | None) -> str | None:
    """The phase of a reference row; None for a trial."""
    if not record.is_reference:
        return None
    return "parent" if record is parent else "polishing" if record.is_polished else "donors"


def terminal_times(times: Sequence[PhaseTime]) -> Table:
    """The table for rich, with the sum as its last line."""
    table = Table(title="where the time went", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("phase")
    table.add_column("time", justify="right")
    table.add_column("share", justify="right")
    for time in times:
        table.add_row(time.phase, duration(time.seconds), f"{100 * time.share:.0f} %")
    table.add_section()
    table.add_row("sum", duration(sum(time.seconds for time in times)), "")
    return table
