"""The study as its database shows it, while it is disturbed: what is stored, what is awaited, what went wrong."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from benchmarks.disturbing.commands import Command
from search.record.events import say_nothing
from search.record.front import hypervolume, non_dominated
from search.record.trial import Outcome, TrialRecord
from search.sampler.optuna_study import optuna_storage
from search.store.base import OpenAttempt, Store, StoreError, StudyEntry
from search.store.outage.patience import Patience
from search.store.sql import open_store

LOOK_S = 0.3
"""Seconds between two looks at the database."""
RECOVERS_WITHIN_S = 240.0
"""Seconds after which a disturbed study that has not recovered counts as stuck, where no other time is given."""


@dataclass
class Awaited:
    """Recovery that is awaited after a disturbance.

    Attributes:
        trial: Number of the trial that must be stored; None if any will do.
        since: Time of the disturbance.
        disturbed: Time of the last disturbance of the same trial: it had to begin again then.
    """

    what: str
    trial: int | None
    since: float
    disturbed: float
    is_met: Callable[[], bool]


@dataclass
class Faults:
    """Faults that were found, each in words, so that its cause can be looked for."""

    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    wrong_fronts: list[str] = field(default_factory=list)


class WatchedStudy:
    """A study and the commands that work on it.

    Attributes:
        tries: How often each trial was begun that was seen running, by its number.

    Args:
        say: Shows a line to the user.
        recovers_within_s: Seconds after which a disturbed study that has not recovered counts as stuck.
    """

    def __init__(
        self,
        url: str,
        name: str,
        commands: Sequence[Command],
        say: Callable[[str], None],
        recovers_within_s: float = RECOVERS_WITHIN_S,
    ) -> None:
        self.commands, self.say, self.recovers_within_s = commands, say, recovers_within_s
        self.faults = Faults()
        self.recoveries: list[float] = []
        self.may_end_until = 0.0
        self.tries: dict[int, int] = {}
        self._url, self._name = url, name
        self._store: Store | None = None
        self._study: StudyEntry | None = None
        self._awaited: list[Awaited] = []
        self._numbers: list[int] = []

    @property
    def stored(self) -> Sequence[int]:
        """Numbers of the stored trials, in the order of storing."""
        return self._numbers

    @property
    def awaited(self) -> int:
        """Number of recoveries that are awaited."""
        return len(self._awaited)

    def look(self) -> None:
        """Read what is new; note recoveries, and commands that have ended."""
        self._read()
        now = time.monotonic()
        for each in list(self._awaited):
            if each.is_met():
                self.recoveries.append(now - each.since)
            elif now - each.disturbed > self.recovers_within_s:
                self.stuck(f"{each.what}: not recovered after {self.recovers_within_s:.0f} s")
            else:
                continue
            self._awaited.remove(each)
        for command in self.commands:
            if command.exit_code is not None:
                self._ended(command)

    def wait(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Look again and again. Return whether the condition was met within that time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.look()
            if until():
                return True
            time.sleep(LOOK_S)
        return until()

    def records(self) -> Sequence[TrialRecord]:
        """Read all records."""
        self._read()
        return () if self._store is None or self._study is None else self._store.records(self._study)

    def running(self) -> Sequence[OpenAttempt]:
        """Return the attempts that a worker holds and whose trial has begun."""
        if self._store is None or self._study is None:
            return ()
        attempts = self._store.open_attempts(self._study)
        self.tries |= {each.number: each.tries for each in attempts if each.number is not None}
        return [each for each in attempts if each.number is not None and each.worker is not None]

    def await_trial(self, number: int, what: str, and_also: Callable[[], bool] = lambda: True) -> None:
        """Expect that a trial is stored soon."""
        for each in self._awaited:
            if each.trial == number:
                each.disturbed = time.monotonic()
        self._expect(what, number, lambda: number in self._numbers and and_also())

    def await_any(self, what: str) -> None:
        """Expect that any trial is stored soon."""
        before = len(self._numbers)
        self._expect(what, None, lambda: len(self._numbers) > before)

    def check_tries(self) -> None:
        """Check that no trial was begun twice, where nothing has happened that allows it."""
        for number, tries in self.tries.items():
            if tries > 1:
                self.stuck(f"trial {number} was begun {tries} times")

    def stuck(self, what: str) -> None:
        """Note that something did not go on as it should."""
        self.faults.stuck.append(what)
        self.say(f"STUCK: {what}")

    def check_front(self) -> None:
        """Compare the stored front with the one that follows from the records."""
        study = None if self._store is None else self._store.latest_study(self._name)
        if self._store is None or study is None:
            return
        fronts, records = self._store.fronts(study), self._store.records(study)
        if len(fronts) != len(self._store.fronts(study)):
            return  # it moved between the two looks
        names, directions = zip(*study.objectives, strict=True)
        complete = [each for each in records if each.outcome is Outcome.COMPLETE and each.feasible]
        values = [[float(each.value(name) or 0.0) for name in names] for each in complete]
        best = {complete[index].name for index in non_dominated(values, directions)} if values else set[str]()
        if not fronts and not best:
            return
        expected = hypervolume(values, directions, study.frozen["reference_point"])
        if not fronts or set(fronts[-1].members) != best or abs(fronts[-1].hypervolume - expected) > 1e-9 * expected:
            self.faults.wrong_fronts.append(f"stored {fronts[-1:]}, recomputed {sorted(best)}")

    def check_end(self) -> None:
        """Check, when all work has ended, that nothing was lost or is left over."""
        self._read()
        stored = Counter(self._numbers)
        acknowledged = Counter(number for command in self.commands for number in command.acknowledged)
        self.faults.lost += [f"trial {number} is not stored" for number in acknowledged if number not in stored]
        self.faults.twice += [f"trial {number}" for number, times in (stored | acknowledged).items() if times > 1]
        if self._store is None or self._study is None:
            self.stuck("the study was never begun")
            return
        self.check_front()
        for attempt in self._store.open_attempts(self._study):
            self.stuck(f"trial {attempt.number} is still open")
        storage = optuna_storage(self._url)
        trials = storage.get_all_trials(storage.get_study_id_from_name(self._study.sampler_name))
        for trial in trials:
            if not trial.state.is_finished():
                self.stuck(f"trial {trial.number} is not finished in Optuna's tables")
        self._store.close()

    def _expect(self, what: str, trial: int | None, is_met: Callable[[], bool]) -> None:
        now = time.monotonic()
        self._awaited.append(Awaited(what, trial, now, now, is_met))

    def _read(self) -> None:
        if self._store is None or self._study is None:
            with suppress(StoreError):
                self._store = self._store or open_store(self._url, Patience(say=say_nothing))
                self._study = self._store.latest_study(self._name)
        if self._store is not None and self._study is not None:
            seen = self._store.records(self._study)
            self._numbers = [each.number for each in seen if each.number is not None]
            self.running()  # for the tries

    def _ended(self, command: Command) -> None:
        """Start a command again; it is a fault if nothing allows its end."""
        if time.monotonic() > self.may_end_until:
            self.stuck(f"a command ended with exit code {command.exit_code}: {command.lines[-1:]}")
        command.begin_again()
