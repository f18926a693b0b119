"""Keeps the state of a training in a file, so that whoever takes it up goes on from its last epoch.

The file is what `torch.save` writes, then one line of JSON. It holds tensors and plain values, and reading it runs none
of its code. It is written aside and renamed, so it is whole or not there.
"""

from __future__ import annotations

import hashlib
import io
import json
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

import spaces.offline  # noqa: F401  (before ultralytics)
from objectives.base import EpochResult
from objectives.training.training_state import history_of
from spaces.durable import write_bytes
from spaces.foreign.plain_json import ForeignError, parse_json
from spaces.shown import shown_reason
from spaces.steps import note_step

# isort: split
from ultralytics import __version__ as ultralytics_version

STATE_FORMAT = 1
SHOWN = 12
"""Number of characters of a fact that a line shows: a version, or the beginning of a hash."""


def versions() -> dict[str, str]:
    """Return the versions of the libraries that the course of a training depends on, by name."""
    return {"torch": torch.__version__, "ultralytics": ultralytics_version}


def weights_hash(network: nn.Module) -> str:
    """Return the hash of all tensors of a network: its weights and BatchNorm statistics."""
    found = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        found.update(f"{name} {tuple(tensor.shape)} ".encode())
        found.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return found.hexdigest()[:32]


@dataclass
class KeptTraining:
    """State of one training: what an earlier process kept of it, and where this process keeps it.

    Attributes:
        path: The file; it need not exist.
        facts: Everything that the course of the training depends on, by name. State with other facts is ignored.
        every_s: Minimum number of seconds between two writes. State in between is kept in memory for `flush`.
        say: Receives a line for the user if there is state that is ignored.
        note_kept: Called after each write.
        note_fault: Called with the error if the file cannot be written; the training goes on.
    """

    path: Path
    facts: Mapping[str, str]
    every_s: float = 0.0
    say: Callable[[str], None] = lambda line: None
    note_kept: Callable[[], None] = lambda: None
    note_fault: Callable[[Exception], None] = lambda error: None
    earlier_s: float = field(default=0.0, init=False)
    history: tuple[EpochResult, ...] = field(default=(), init=False)
    _found: dict[str, Any] | None = field(default=None, init=False, repr=False)
    _pending: dict[str, Any] | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self._begun = self._written = time.monotonic()
        try:
            self._found = self._read()
        except (FileNotFoundError, NotADirectoryError):
            return
        except Exception as error:  # torch raises errors of many kinds on odd bytes
            self.say(f"the kept state of a training is ignored: {self.path}: {shown_reason(error)}")
            return
        self.history, self.earlier_s = history_of(self._found), float(self._found["seconds"])

    @property
    def is_found(self) -> bool:
        """True if an earlier process has kept state of this training, and it was not taken yet."""
        return self._found is not None

    def take(self) -> dict[str, Any] | None:
        """Return the state that an earlier process kept, once: it is large."""
        found, self._found = self._found, None
        return found

    def offer(self, capture: Callable[[bool], dict[str, Any]]) -> None:
        """Keep the state after an epoch: in the file if it is time, else in memory.

        Args:
            capture: Returns the state, with copies of the tensors if its argument is true: in memory they would change.
        """
        is_due = time.monotonic() - self._written >= self.every_s
        self._pending = {**capture(not is_due), "seconds": self.earlier_s + time.monotonic() - self._begun}
        if is_due:
            self.flush()

    def flush(self) -> None:
        """Write the state that is only in memory, if there is any."""
        if self._pending is None:
            return
        try:
            write_bytes(self.path, self._packed(self._pending))
        except (OSError, MemoryError) as error:
            self.note_fault(error)
        else:
            self.note_kept()
        self._pending, self._written = None, time.monotonic()
        note_step()

    def _packed(self, state: Mapping[str, Any]) -> bytes:
        stream = io.BytesIO()
        torch.save(dict(state), stream)
        about = {"format": STATE_FORMAT, "facts": dict(self.facts), "crc32": zlib.crc32(stream.getbuffer())}
        stream.write(b"\n" + json.dumps(about).encode())
        return stream.getvalue()

    def _read(self) -> dict[str, Any]:
        """Return the state in the file.

        Raises:
            FileNotFoundError: If there is none.
            ForeignError: If it is damaged, or of another training.
        """
        content, _, line = self.path.read_bytes().rpartition(b"\n")
        about = parse_json(line, "its last line")
        if not isinstance(about, dict) or about.get("format") != STATE_FORMAT:
            raise ForeignError("it is of another format")
        if difference := difference_of(about.get("facts"), self.facts):
            raise ForeignError(difference)
        if about.get("crc32") != zlib.crc32(content):
            raise ForeignError("it is damaged")
        found: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        return found


def difference_of(kept: Any, now: Mapping[str, str]) -> str:
    """Return the first fact in which kept work differs from what is done now, in words; empty if there is none."""
    kept = kept if isinstance(kept, dict) else {}
    for name, value in now.items():
        if kept.get(name) != value:
            return f"its {name} was {str(kept.get(name))[:SHOWN]}, and is {value[:SHOWN]} now"
    return ""
