"""Remembers the files that passed their check, so that a second start asks only the file system for their times.

JSON, never pickle; one file for each data set. A file counts as unchanged while its size, modification time and
change time are the same. Losing or corrupting this memory costs time, nothing else.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

from objectives.data.check import Checked
from spaces.durable import update_text

CHECK_VERSION = 4
"""Version of the checks; raise it when a check becomes stricter, so that no older result counts."""


@dataclass
class CheckMemory:
    """Results of checks that passed.

    Attributes:
        entries: By file path: size, mtime in ns, ctime in ns, digest, objects, repeated rows, classes, look, oddities.
            Under a name that is no absolute path: a hash of what was compared, and the lines that were found.
        used: The entries that this start has used or added.
    """

    file: Path
    entries: dict[str, list[Any]] = field(default_factory=dict)
    used: dict[str, list[Any]] = field(default_factory=dict)

    @classmethod
    def load(cls, cache: Path, definition: Path, classes: int, form: str = "") -> CheckMemory:
        """Return the memory of one data set.

        Args:
            classes: Number of classes that its labels were checked against.
            form: The form of its labels; empty for boxes.
        """
        name = hashlib.sha256(os.fsencode(f"{CHECK_VERSION} {classes}{form} {definition}")).hexdigest()[:16]
        file = cache / f"checked-{name}.json"
        try:
            entries = json.loads(file.read_bytes())
        except (FileNotFoundError, ValueError, RecursionError):
            entries = {}
        return cls(file, entries if isinstance(entries, dict) else {})

    def check(self, paths: Sequence[Path], check_new: Callable[[Sequence[Path]], list[Checked]]) -> dict[Path, Checked]:
        """Return results for all the files; only those that changed, or did not pass, are checked."""
        stamps = {path: _stamp(path) for path in dict.fromkeys(paths)}  # before reading: a later change is noticed
        results: dict[Path, Checked] = {}
        new: list[Path] = []
        for path, stamp in stamps.items():
            entry = self.entries.get(str(path))
            if _is_valid(entry) and entry[:3] == stamp:
                results[path] = Checked(entry[3], (), entry[4], entry[5], tuple(entry[6]), entry[7], entry[8])
                self.used[str(path)] = entry
            else:
                new.append(path)
        for path, result in zip(new, check_new(new), strict=True):
            results[path] = result
            if (stamp := stamps[path]) is not None and not result.problems:
                counts = [result.digest, result.objects, result.repeated]
                self.used[str(path)] = [*stamp, *counts, list(result.classes), result.look, dict(result.odd)]
        return results

    def lines(self, name: str, facts: str, find: Callable[[], Iterable[str]]) -> list[str]:
        """Return the lines that were found from the same facts before; else find them now.

        Args:
            name: Name of what is looked for.
        """
        digest = hashlib.sha256(os.fsencode(facts)).hexdigest()[:32]
        entry = self.entries.get(name)
        if not _are_lines(entry) or entry[0] != digest:
            entry = [digest, list(find())]
        self.used[name] = entry
        return list(entry[1])

    def save(self) -> None:
        """Save the results that this start used; files that are gone are left out."""
        if self.used != self.entries:
            update_text(self.file, json.dumps(self.used))


def _stamp(path: Path) -> list[int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _is_valid(entry: object) -> TypeGuard[list[Any]]:
    if not isinstance(entry, list) or len(entry) != 9 or not isinstance(entry[6], list):
        return False
    if not isinstance(entry[8], dict):
        return False
    texts, counts = (entry[3], entry[7], *entry[8]), (*entry[4:6], *entry[6], *entry[8].values())
    return all(isinstance(text, str) for text in texts) and all(isinstance(count, int) for count in counts)


def _are_lines(entry: object) -> TypeGuard[list[Any]]:
    if not isinstance(entry, list) or len(entry) != 2 or not isinstance(entry[1], list):
        return False
    return all(isinstance(line, str) for line in entry[1])
