"""Overview of a study's jobs: what the batch system says of each, joined with what its run says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search.batch.queued import QueuedJob
from search.store.runs.register import StoredRun

SILENT_AFTER_S = 180.0
"""Seconds without a sign of life after which a run counts as silent: it was killed, or its database is away."""
TITLES = ("job", "state", "node", "GPU", "doing", "progress", "restarts", "GPU-h", "reason")
_MINUTE_S, _HOUR_S = 60.0, 3600.0
_MOST_MINUTES = 120 * _MINUTE_S


@dataclass(frozen=True)
class JobRow:
    """One job of a study.

    Attributes:
        queued: Entry of the batch system's queue; None for a run that it does not know.
        runs: Its starts as they are registered, oldest first.
    """

    queued: QueuedJob | None
    runs: tuple[StoredRun, ...]

    @property
    def name(self) -> str:
        """Name of the job; without a batch system machine and process."""
        if self.queued is not None:
            return self.queued.job
        entry = self.runs[-1].entry
        return entry.job or f"{entry.node}:{entry.pid}"

    @property
    def state(self) -> str:
        """The batch system's word for the state, in small letters; without a batch system ours."""
        if self.queued is not None:
            return self.queued.state.lower()
        run = self.runs[-1]
        return run.entry.why or ("silent" if run.age_s > SILENT_AFTER_S else "running")

    @property
    def is_running(self) -> bool:
        """True if the job runs now, as far as one knows."""
        return self.state == "running"

    @property
    def gpu_hours(self) -> float:
        """GPU-hours of all starts: by the batch system's accounts, else by our register."""
        if self.queued is not None and self.queued.gpu_hours is not None:
            return self.queued.gpu_hours
        return sum(run.gpu_hours for run in self.runs)

    def cells(self) -> tuple[str, ...]:
        """Return the texts below `TITLES`."""
        queued, last = self.queued, self.runs[-1] if self.runs else None
        is_running = self.is_running and last is not None and not last.entry.why
        restarts = max(len(self.runs) - 1, 0 if queued is None else queued.restarts)
        reason = "" if queued is None else queued.reason
        ended = "" if last is None or is_running else last.entry.why
        return (
            self.name,
            self.state,
            (queued.node if queued is not None and queued.node else "" if last is None else last.entry.node),
            "" if last is None else last.entry.device,
            "; ".join(last.entry.doing) if last is not None and is_running else "",
            f"{_ago(last.entry.progress_s + last.age_s)} ago" if last is not None and is_running else "",
            str(restarts),
            f"{self.gpu_hours:.1f}",
            reason or (f"last run: {ended}" if ended else ""),
        )


def rows_of(queued: Sequence[QueuedJob], runs: Sequence[StoredRun]) -> tuple[JobRow, ...]:
    """Return all jobs of a study: those of the batch system in their order, then all other runs."""
    by_job: dict[str, list[StoredRun]] = {}
    for run in runs:
        key = run.entry.job or f"{run.entry.host} {run.entry.pid} {run.entry.started}"
        by_job.setdefault(key, []).append(run)
    known = [JobRow(job, tuple(by_job.pop(job.job, ()))) for job in queued]
    return (*known, *(JobRow(None, tuple(same)) for same in by_job.values()))


def overview_lines(rows: Sequence[JobRow], gpu_hours: float | None) -> list[str]:
    """Return the overview as lines of text: a table and the GPU-hours.

    Args:
        gpu_hours: GPU-hours that the study may use; None for no limit.
    """
    table = [TITLES, *(row.cells() for row in rows)]
    widths = [max(len(cells[column]) for cells in table) for column in range(len(TITLES))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip() for cells in table
    ]
    used = sum(row.gpu_hours for row in rows)
    left = "" if gpu_hours is None else f", {max(0.0, gpu_hours - used):.1f} of {gpu_hours:g} left"
    return [*lines, f"GPU-hours used: {used:.1f}{left}"]


def _ago(seconds: float) -> str:
    """Return a time span in its natural unit: `12 s`, `7 min`, `3 h`."""
    if seconds < 2 * _MINUTE_S:
        return f"{seconds:.0f} s"
    return f"{seconds / _MINUTE_S:.0f} min" if seconds < _MOST_MINUTES else f"{seconds / _HOUR_S:.0f} h"
