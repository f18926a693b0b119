"""The contract of an inference engine: turn a candidate into its file, and run that file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from objectives.target import Target
    from spaces.base import Candidate


class Runtime(ABC):
    """An inference engine.

    `export` runs in the worker, `load` in the timing process, which has neither torch nor Ultralytics: a runtime's
    module imports its engine inside the methods, and torch in `export` alone.
    """

    name: str
    providers: tuple[str, ...]
    precisions: tuple[str, ...]

    @abstractmethod
    def unavailable(self, provider: str) -> str | None:
        """Why it cannot run here with that provider, with the command that mends it; None if it can."""

    @abstractmethod
    def version(self) -> str:
        """Name and version of the engine, as it enters the target's key."""

    @abstractmethod
    def export(self, candidate: Candidate, folder: Path, target: Target) -> Path:
        """Write the engine's file of the candidate, at the candidate's own image size, into an existing folder.

        Args:
            candidate: Not modified.
            target: Says batch and precision.

        Raises:
            CandidateError: If the network does not export.
        """

    @abstractmethod
    def load(self, model: Path, target: Target) -> Callable[[], None]:
        """Load a file that `export` wrote; the result runs one batch and returns when it is done.

        The input is (target.batch, 3, H, W), float32 in [0, 1], of the size that it was exported at, and the same
        at each call.

        Raises:
            CandidateError: If the engine does not load it.
        """
