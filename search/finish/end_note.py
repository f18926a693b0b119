"""Note in the database that a study was ended, so that only one of its jobs tells of it, and the command that tells."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from search.store.base import Store, StudyEntry
from spaces.shown import shown_reason

MOST_S = 600.0
"""Seconds after which the command of `--on-done` is ended."""


@dataclass(frozen=True)
class EndNote:
    """Note that a study with its present trials was ended: confirmed, reported and told.

    A study that gets more trials or other steps later is ended again.

    Attributes:
        steps: The steps after the last trial that were asked for, in words.
    """

    store: Store
    study: StudyEntry
    steps: str = ""

    @property
    def is_written(self) -> bool:
        """True if the study was ended with its present trials."""
        return self._fact in self._stored().frozen

    def write(self, why: str) -> None:
        """Write the note, unless it is there.

        Args:
            why: Reason why the study ended: `done` or `exhausted`.
        """
        self.store.freeze(self.study, {self._fact: why})

    @property
    def _fact(self) -> str:
        last = self.store.last_number(self.study)
        return f"ended after trial {'none' if last is None else last}{self.steps}"

    def _stored(self) -> StudyEntry:
        return next(each for each in self.store.studies() if each.id == self.study.id)


def call_on_done(command: str, facts: Mapping[str, str], show_line: Callable[[str], None]) -> None:
    """Run the user's command in a shell; if it fails, say so in one line. It writes to standard error.

    Args:
        facts: Variables of its environment, beside those of this process.
    """
    fault = _fault_of(command, {**os.environ, **facts})
    if fault:
        show_line(f"warning: --on-done {command}: {fault}; the study is complete without it")


def _fault_of(command: str, environment: Mapping[str, str]) -> str:
    try:
        process = subprocess.Popen(
            command,
            shell=True,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),  # standard output may be a log in JSON
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        return shown_reason(error)
    code = None
    try:
        code = process.wait(MOST_S)
    except subprocess.TimeoutExpired:
        return f"did not end within {MOST_S:.0f} s"
    finally:
        if code is None:  # also after a signal
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return "" if code == 0 else f"ended with exit code {code}"
