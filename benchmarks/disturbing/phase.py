"""One study on one database from its begin, through all disturbances, to its undisturbed end."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.disturbing.commands import Command
from benchmarks.disturbing.databases import DisturbedDatabase
from benchmarks.disturbing.disturbances import DISTURBANCE_KINDS, OUTAGE, Victim, schedule
from benchmarks.disturbing.run_folder import BlockedFileSystem, MovedClock, SmallDisk
from benchmarks.disturbing.watched_study import RECOVERS_WITHIN_S, WatchedStudy
from benchmarks.disturbing.worker_faults import BLOCKED
from objectives.data.digit_scenes import write_digits

STUDY: Mapping[str, Any] = {
    "data": "digits",
    "parent": {"model": "yolov5n.yaml", "recipe": {"epochs": 1, "batch": 8, "warmup_epochs": 0}},
    "space": {"type": "channels", "low": 0.25, "high": 1.0, "step": 0.125, "multiple": 8},
    "recipe": {"epochs": 1, "batch": 8, "warmup_epochs": 0},
    "inherit": False,
    "sampler": {"name": "random"},
    "rungs": {"rule": "none"},
    "objectives": {"size_mib": "minimize", "flops_g": "minimize"},
}
"""Smallest study with real trainings. Its objectives differ in every trial, so that the front moves."""
SCENES = {"train": 16, "val": 8, "test": 8}
NAME = "chaos"
WORKERS = (2, 1)
"""Worker processes of the command on this machine, and of the one that pretends to be elsewhere."""
BEGINS_WITHIN_S, ENDS_WITHIN_S = 300.0, 300.0
"""Longest time until the first trial is stored, and of the undisturbed end."""
HUNG_AFTER_S = 45.0
"""Seconds without progress after which the supervisor ends a worker."""
LONGEST_OUTAGE_S = 15.0
"""Longest time that the database is away, in a run of ten minutes."""
SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 8.0
"""Time between two disturbances, at least and at most, where nothing is awaited."""
AWAITED_AT_ONCE = 3
"""Number of awaited recoveries at which no further disturbance comes: else killed workers would never get to train."""
TRIALS_AT_END = 2
"""Number of trials that follow undisturbed."""


@dataclass(frozen=True)
class PhaseResult:
    """Row of the table: what was tried on one database, what went wrong, and how fast the study recovered."""

    database: str
    tried: dict[str, int]
    trials: int
    lost: list[str]
    twice: list[str]
    stuck: list[str]
    wrong_fronts: list[str]
    recoveries: list[float]

    @property
    def is_clean(self) -> bool:
        """True if no fault was found."""
        return not (self.lost or self.twice or self.stuck or self.wrong_fronts)

    def as_plain(self) -> dict[str, Any]:
        """Return plain values for a JSON file."""
        return asdict(self)


def study_arguments(folder: Path, url: str, hung_after_s: float) -> list[str]:
    """Write the study and its data into a run folder. Return the arguments of `search.run` for it."""
    folder.mkdir(parents=True, exist_ok=True)
    data = write_digits(folder / "digits", scenes=SCENES)
    file = folder / f"{NAME}.yaml"
    file.write_text(yaml.safe_dump(dict(STUDY)), encoding="utf-8")
    fixed = ["--study", str(file), "--name", NAME, "--data", str(data), "--imgsz", "64", "--no-confirm"]
    fixed += ["--hung-after", f"{hung_after_s:.0f}s"]
    return [*fixed, "--project", str(folder / "runs"), "--storage", url]


class Phase:
    """Disturbs a study on one database for a time.

    Args:
        folder: Path of the run folder, in an existing folder; the run folder is removed at the end.
        seconds: Time from the first stored trial to the last disturbance.
        only: Kinds of disturbances; all that are possible here by default.
        longest_outage_s: Longest time in seconds that the database is away.
        longest_pause_s: Longest pause in seconds after a disturbance.
        recovers_within_s: Seconds after which a disturbed study that has not recovered counts as stuck.
        hung_after_s: Seconds without progress after which the supervisor ends a worker.
    """

    def __init__(
        self,
        database: DisturbedDatabase,
        folder: Path,
        dice: random.Random,
        *,
        seconds: float,
        say: Callable[[str], None],
        only: Sequence[str] = (),
        longest_outage_s: float = LONGEST_OUTAGE_S,
        longest_pause_s: float = LONGEST_PAUSE_S,
        recovers_within_s: float = RECOVERS_WITHIN_S,
        hung_after_s: float = HUNG_AFTER_S,
    ) -> None:
        self._database, self._dice, self._say = database, dice, say
        self._disk, self._clock = SmallDisk(folder), MovedClock(folder.parent)
        self._blocked = BlockedFileSystem(folder.parent)
        self._longest_outage_s, self._longest_pause_s = longest_outage_s, longest_pause_s
        self._recovers_within_s, self._hung_after_s = recovers_within_s, hung_after_s
        self._seconds = seconds
        self._kinds = [kind for kind in only or DISTURBANCE_KINDS if self._is_possible(kind)]
        self._tried: Counter[str] = Counter()

    def run(self) -> PhaseResult:
        """Run the study, disturb it, let it end, and check what it has left."""
        try:
            return self._run()
        finally:
            self._blocked.close()
            self._disk.close()

    def _run(self) -> PhaseResult:
        arguments = study_arguments(self._disk.folder, self._database.url, self._hung_after_s)
        environment = {**self._clock.environment, BLOCKED: str(self._blocked.file)}
        commands = [
            Command([*arguments, "--workers", str(workers), "--n-trials", "100000"], environment, host)
            for workers, host in zip(WORKERS, (None, "elsewhere"), strict=True)
        ]
        study = WatchedStudy(self._database.url, NAME, commands, self._say, self._recovers_within_s)
        try:
            if study.wait(BEGINS_WITHIN_S, until=lambda: bool(study.stored)):
                places = (self._database, self._disk, self._clock, self._blocked)
                self._disturb(Victim(study, *places, self._dice, self._longest_outage_s))
            else:
                study.stuck(f"no trial within {BEGINS_WITHIN_S:.0f} s: {[each.lines[-1:] for each in commands]}")
            self._end(study, arguments)
        finally:
            for command in study.commands:
                command.kill_all()
        faults = study.faults
        return PhaseResult(
            self._database.name,
            dict(self._tried),
            len(study.stored),
            faults.lost,
            faults.twice,
            faults.stuck,
            faults.wrong_fronts,
            study.recoveries,
        )

    def _is_possible(self, kind: str) -> bool:
        if kind == "disk full" and not self._disk.can_be_filled:
            self._say("no disk is filled: a small file system can be mounted by root only")
            return False
        if kind == "clock moved" and not self._clock.can_be_moved:
            self._say("no clock is moved: there is no C compiler (Debian: apt-get install gcc libc6-dev)")
            return False
        if kind == "worker hangs in a file system" and not self._blocked.can_be_blocked:
            self._say("no file system is blocked: root with mkfs.ext4 and fsfreeze can do so")
            return False
        return True

    def _disturb(self, victim: Victim) -> None:
        end = time.monotonic() + self._seconds
        while time.monotonic() < end:
            for kind in schedule(self._dice, self._kinds):
                if time.monotonic() >= end:
                    return
                self._say(f"{self._database.name}: {kind}, {len(victim.study.stored)} trials stored")
                self._tried[kind] += DISTURBANCE_KINDS[kind](victim)
                victim.study.wait(self._dice.uniform(SHORTEST_PAUSE_S, self._longest_pause_s))
                victim.study.wait(self._recovers_within_s, until=lambda: victim.study.awaited < AWAITED_AT_ONCE)
                victim.study.check_front()

    def _end(self, study: WatchedStudy, arguments: Sequence[str]) -> None:
        """Let the study recover, interrupt its commands, and let one more end undisturbed."""
        self._clock.move(0)
        study.wait(ENDS_WITHIN_S, until=lambda: not study.awaited)
        if self._kinds == [OUTAGE]:
            study.check_tries()
        for command in study.commands:
            if not command.interrupt(within_s=60):
                study.stuck("a command did not end within 60 s after its interruption")
        total = len(study.stored) + TRIALS_AT_END
        last = Command([*arguments, "--workers", "2", "--n-trials", str(total)], self._clock.environment)
        study.commands = [*study.commands, last]
        code = last.wait(ENDS_WITHIN_S)
        if code != 0:
            study.stuck(f"the undisturbed end had exit code {code}: {last.lines[-3:]}")
            last.kill_all()
        study.check_end()
