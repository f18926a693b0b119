"""The job that a worker process is started with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Job:
    """The work of one worker process. Plain values: it is sent to the new process.

    Attributes:
        study: The study's name.
        generation: The generation to work on; it is begun if it is not there yet.
        definition: The definition as plain values.
        index: The worker's number, from 0; it samples with seed + index.
        root: The run folder.
        device: Where networks are trained, in Ultralytics' notation: `cpu`, `0`, `cuda:1`.
        threads: Number of torch threads.
        timeout_s: Seconds after which no trial is begun; None for no limit.
    """

    study: str
    generation: int
    definition: Mapping[str, Any]
    url: str
    root: Path
    index: int
    device: str
    threads: int
    n_trials: int
    timeout_s: float | None
