"""Results of a benchmark: one JSON object per line, so that the same command continues a benchmark that was killed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KEY_SEPARATOR = " | "


@dataclass(frozen=True)
class ResultsFile:
    """Finished pieces of work by their key."""

    file: Path

    def get_or_run(self, key: str, work: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        """Return the stored result of this key; if there is none, run the work and store its result."""
        known = self.read()
        if key not in known:
            known[key] = dict(work())
            self.file.parent.mkdir(parents=True, exist_ok=True)
            incomplete = self._last_line_is_incomplete()
            with self.file.open("a", encoding="utf-8") as file:
                file.write(("\n" if incomplete else "") + json.dumps({"key": key, **known[key]}) + "\n")
                file.flush()
                os.fsync(file.fileno())
        return known[key]

    def run_missing(
        self,
        function: Callable[..., Mapping[str, Any]],
        calls: Mapping[str, tuple[Any, ...]],
        *,
        processes: int | None,
        initializer: Callable[[], None],
    ) -> None:
        """Run all calls that have no result yet in several processes, and store each result.

        Args:
            calls: The arguments of `function` by the key of its result.
            initializer: Called once in each process.
        """
        with ProcessPoolExecutor(processes, initializer=initializer) as pool:
            finished = self.read()
            runs = {key: pool.submit(function, *each) for key, each in calls.items() if key not in finished}
            for key, run in runs.items():
                self.get_or_run(key, run.result)

    def read(self) -> dict[str, dict[str, Any]]:
        """Return all stored results by their key."""
        return {entry.pop("key"): entry for entry in read_json_lines(self.file)}

    def _last_line_is_incomplete(self) -> bool:
        return self.file.exists() and self.file.read_bytes()[-1:] not in (b"", b"\n")


def read_json_lines(file: Path) -> list[dict[str, Any]]:
    """Read a JSON object from each line. A line that a kill cut short is left out, so that its work is done again."""
    entries = []
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
        try:
            entries.append(json.loads(line))
        except ValueError:
            continue
    return entries


def join_key(*parts: object) -> str:
    """Return the key of a result: `digits, onnxruntime | ours | 0`."""
    return KEY_SEPARATOR.join(map(str, parts))


def split_key(key: str) -> tuple[str, ...]:
    """Return the parts of a key."""
    return tuple(key.split(KEY_SEPARATOR))


def write_json(file: Path, value: Any) -> None:
    """Write a value as indented JSON; make its folder if there is none."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def read_json(file: Path) -> dict[str, Any] | None:
    """Read a JSON object; None if there is no such file."""
    if not file.exists():
        return None
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found
