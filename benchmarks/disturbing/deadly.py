"""A study with trials that end their worker each time: they must be stored as failed, and the study must go on."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.disturbing.commands import Command
from benchmarks.disturbing.databases import DisturbedDatabase
from benchmarks.disturbing.phase import NAME, PhaseResult, study_arguments
from benchmarks.disturbing.watched_study import WatchedStudy
from benchmarks.disturbing.worker_faults import ADDRESS_SPACE, CGROUP_MEMORY, DEADLY, MEMORY_GROUP, SEGFAULT
from search.record.trial import Outcome

DEADLY_TRIALS: Mapping[int, str] = {1: SEGFAULT, 3: CGROUP_MEMORY, 5: ADDRESS_SPACE}
"""Deadly trials by their number, and of what each of them dies."""
TRIALS = 8
"""Number of trials of the study."""
MEMORY_LIMIT = 512 << 20
"""Limit in bytes of the control group that a deadly trial enters."""
REACHES_TRIALS_WITHIN_S = 1200.0
"""Longest time of the study: each deadly trial ends several workers."""


def run_deadly(
    database: DisturbedDatabase, folder: Path, workers: int, hung_after_s: float, say: Callable[[str], None]
) -> PhaseResult:
    """Run the study to its end, and check what it has left.

    Args:
        folder: Path of the run folder, in an existing folder.
        workers: Number of worker processes.
        hung_after_s: Seconds without progress after which the supervisor ends a worker.
        say: Shows a line to the user.
    """
    with _memory_group() as group:
        deadly = {number: how for number, how in DEADLY_TRIALS.items() if group or how != CGROUP_MEMORY}
        if not group:
            say("no trial runs out of memory: a control group of version 1 can be made by root only")
        environment = {DEADLY: json.dumps(deadly), MEMORY_GROUP: group}
        arguments = study_arguments(folder, database.url, hung_after_s)
        arguments += ["--workers", str(workers), "--n-trials", str(TRIALS)]
        command = Command(arguments, environment)
        study = WatchedStudy(database.url, NAME, [command], say)
        try:
            code = command.wait(REACHES_TRIALS_WITHIN_S)
        finally:
            command.kill_all()
    if code != 0:
        study.stuck(f"the command ended with exit code {code}: {command.lines[-3:]}")
    check_deadly(study, deadly)
    study.check_end()
    tried = Counter(f"trial that ends its worker: {how}" for how in deadly.values())
    faults = study.faults
    name = f"{database.name}, {workers} worker{'s' if workers > 1 else ''}"
    found = (faults.lost, faults.twice, faults.stuck, faults.wrong_fronts)
    return PhaseResult(name, dict(tried), len(study.stored), *found, [])


def check_deadly(study: WatchedStudy, deadly: Mapping[int, str]) -> None:
    """Check that the deadly trials are stored as failed, and all others as not failed."""
    records = {record.number: record for record in study.records() if record.number is not None}
    if len(records) != TRIALS:
        study.stuck(f"{len(records)} of {TRIALS} trials are stored")
    for number, record in records.items():
        if number in deadly:
            study.say(f"trial {number} ({deadly[number]}): {record.outcome}, {record.reason}")
        if (record.outcome is Outcome.FAILED) is not (number in deadly):
            study.stuck(f"trial {number} is stored as {record.outcome}: {record.reason}")


@contextmanager
def _memory_group() -> Iterator[str]:
    """Make a control group with a limit on memory. Give its folder; empty if none can be made."""
    folder = Path(f"/sys/fs/cgroup/memory/yolofront-chaos-{os.getpid()}")
    try:
        folder.mkdir()
        (folder / "memory.limit_in_bytes").write_text(str(MEMORY_LIMIT))
    except OSError:
        yield ""
        return
    try:
        yield str(folder)
    finally:
        folder.rmdir()
