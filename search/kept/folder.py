"""Folder of the kept work of a study: a folder for each trial or row that has begun and is not stored.

Several nodes may share it. Every file is written aside and renamed, so a reader finds an older file or a newer one, and
never half of one.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from objectives.training.kept_training import KeptTraining, difference_of
from search.kept.takes import EarlierTakes, Takes, earlier_takes_in
from search.record.folders import file_stem
from search.record.trial import TrialRecord
from spaces.durable import delete_folder, file_fault, write_text
from spaces.foreign.plain_json import ForeignError, parse_json

STEPS_FILE, STATE_FILE, TAKES_FILE = "steps.json", "training", "takes.json"
"""Files of one trial or row: its finished steps, the state of its training, its takes."""


@dataclass
class KeptFolder:
    """Folder of the kept work of a study.

    Attributes:
        root: The folder; None if nothing is kept.
        every_s: Minimum number of seconds between two writes of the state of a training.
        say: Receives lines for the user.
    """

    root: Path | None = None
    every_s: float = 0.0
    say: Callable[[str], None] = lambda line: None
    _has_told: bool = field(default=False, init=False)

    def earlier_takes(self, name: str) -> EarlierTakes:
        """Return what is known of the earlier takes of a trial or row."""
        return EarlierTakes() if self.root is None else earlier_takes_in(self.root / file_stem(name) / TAKES_FILE)

    @contextmanager
    def work_on(
        self, name: str, facts: Callable[[], Mapping[str, str]], *, tries: int = 1, deaths: int = 0
    ) -> Iterator[KeptWork]:
        """Take up what is kept of a trial or row, and keep more of it. It stays when the block ends.

        Args:
            facts: Returns everything that the work depends on, by name. Work that was kept with other facts is dropped.
            tries: The attempt's present number of tries.
            deaths: Number of deaths of its workers that are known now.
        """
        if self.root is None:
            yield KeptWork()
            return
        folder = self.root / file_stem(name)
        work = KeptWork(folder, name, facts(), self)
        takes = Takes(folder / TAKES_FILE, tries, deaths, self.note_fault)
        work.note_progress = takes.get_further
        takes.begin()
        try:
            yield work
        finally:
            takes.end()

    def discard(self, names: Iterable[str]) -> None:
        """Delete what is kept of these trials and rows: they are stored."""
        if self.root is None or not self.root.is_dir():
            return
        for name in {file_stem(name) for name in names} & {path.name for path in self.root.iterdir()}:
            self._delete(self.root / name)
        with suppress(OSError):  # others are still there
            self.root.rmdir()

    def discard_stored(self, records: Callable[[], Iterable[TrialRecord]]) -> None:
        """Delete what is kept of work whose record is stored: its worker was killed in between.

        Args:
            records: Returns the stored records; it is called only if anything is kept.
        """
        if self.root is not None and self.root.is_dir():
            self.discard(record.name for record in records())

    def _delete(self, folder: Path) -> None:
        try:
            delete_folder(folder)
        except OSError as error:
            self.note_fault(error)

    def note_fault(self, error: Exception) -> None:
        """Say, once, that work cannot be kept: the study goes on."""
        if not self._has_told:
            self._has_told = True
            reason = file_fault(error) if isinstance(error, OSError) else str(error) or type(error).__name__
            self.say(f"unfinished work is not kept, an interrupted trial begins again: {reason}")


@dataclass
class KeptWork:
    """Finished steps of one trial or row, kept in a folder for its next take. Without a folder nothing is kept.

    Attributes:
        seconds: Wall seconds by phase that earlier takes spent on the steps that are kept.
        note_progress: Called when the trial or row got further.
    """

    folder: Path | None = None
    name: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    shared: KeptFolder = field(default_factory=KeptFolder)
    seconds: dict[str, float] = field(default_factory=dict)
    note_progress: Callable[[], None] = lambda: None
    _steps: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.folder is None:
            return
        try:
            plain = parse_json((self.folder / STEPS_FILE).read_bytes(), STEPS_FILE)
            fault = difference_of(plain["facts"], self.facts)
            self._steps, self.seconds = dict(plain["steps"]), {n: float(s) for n, s in plain["seconds"].items()}
        except (FileNotFoundError, NotADirectoryError):
            return
        except (OSError, ForeignError, KeyError, TypeError, ValueError, AttributeError) as error:
            fault = f"it cannot be read ({type(error).__name__})"
        if fault:
            self.shared.say(f"what was kept of {self.name} is dropped, it begins again: {fault}")
            self._steps, self.seconds = {}, {}
            shutil.rmtree(self.folder, ignore_errors=True)

    def step(self, name: str) -> Any:
        """Return what a finished step gave, as plain values; None if it is not finished."""
        return self._steps.get(name)

    def keep(self, name: str, result: Any, seconds: Mapping[str, float]) -> None:
        """Keep the result of a finished step.

        Args:
            result: Plain values: JSON.
            seconds: Wall seconds by phase that the trial has taken so far.
        """
        self._steps[name] = result
        if self.folder is None:
            return
        plain = {"facts": dict(self.facts), "seconds": dict(seconds), "steps": self._steps}
        try:
            write_text(self.folder / STEPS_FILE, json.dumps(plain))
        except OSError as error:
            self.shared.note_fault(error)
        else:
            self.note_progress()

    def training(self, facts: Callable[[], Mapping[str, str]]) -> KeptTraining | None:
        """Return the state of the training; None if nothing is kept.

        Args:
            facts: Returns everything that the training depends on, by name.
        """
        if self.folder is None:
            return None
        return KeptTraining(
            self.folder / STATE_FILE,
            {**self.facts, **facts()},
            every_s=self.shared.every_s,
            say=self.shared.say,
            note_kept=self.note_progress,
            note_fault=self.shared.note_fault,
        )
