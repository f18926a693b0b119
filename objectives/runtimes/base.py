"""Interface of inference engines: export a candidate to the engine's file, and run that file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from objectives.device.device_name import device_named
from objectives.device.fingerprint import cpu_fingerprint, gpu_fingerprint

if TYPE_CHECKING:
    from objectives.data.calibration import Calibration
    from objectives.device.target import Target
    from spaces.base import Candidate

Array = NDArray[np.float32]


class Loaded(ABC):
    """Network that an engine has loaded."""

    @abstractmethod
    def __call__(self) -> None:
        """Run one batch, the same in each call, and return when it is finished."""

    @abstractmethod
    def predict(self, images: Array) -> Array:
        """Return the network's first output, `output0` of `export_onnx`.

        Args:
            images: (target.batch, 3, H, W) in [0, 1], of the size that was exported.
        """


class Runtime(ABC):
    """Inference engine.

    `export` runs in the worker. `load` runs in the timing process, which has neither Ultralytics nor torch (except for
    the runtimes of torch itself). So the module of a runtime imports its engine inside the methods, and torch only in
    `export`. No thread may spin between two runs.
    """

    name: str
    providers: tuple[str, ...]
    precisions: tuple[str, ...]
    short_name: str = ""
    """Part of the short names of targets (`ort` in `ort-cpu`); if empty, `name` is used."""
    reads: tuple[str, ...] = ()
    """Formats of `yolofront export` that it can load unchanged: `onnx`, `openvino`."""
    suppresses: bool = False
    """True if its files can end in non-maximum suppression (`Target.nms`)."""

    @abstractmethod
    def unavailable(self, provider: str, precision: str = "fp32") -> str | None:
        """Return why this provider and precision cannot run here, with the remedy; None if they can."""

    @abstractmethod
    def version(self) -> str:
        """Return the name and version of the engine; they are a part of the target's key."""

    def on_cpu(self, provider: str) -> bool:
        """Return whether a provider runs on the CPU. If so, one thread is timed by CPU time; all else by wall time."""
        return provider == "cpu"

    def device_name(self, provider: str) -> str:
        """Return the name of a provider's device in the names of locks: `cpu`, `gpu0`, or a GPU's UUID.

        Measurements have this device alone. Override the method for a device that is neither the CPU nor an NVIDIA GPU.

        Raises:
            TargetError: If CUDA_VISIBLE_DEVICES contains no GPU.
        """
        return "cpu" if self.on_cpu(provider) else device_named("cuda")

    def device(self, provider: str) -> str:
        """Return the fingerprint of a provider's device. Override this method together with `device_name`.

        Raises:
            TargetError: If there is no such device.
        """
        return cpu_fingerprint() if self.on_cpu(provider) else gpu_fingerprint()

    @abstractmethod
    def export(
        self, candidate: Candidate, folder: Path, target: Target, calibration: Calibration | None = None
    ) -> Path:
        """Write the engine's file of the candidate, at the candidate's own image size, into an existing folder.

        Args:
            candidate: Not modified.
            target: Gives batch, threads and precision, and whether NMS is part of the file.
            calibration: Images for the calibration of int8; other precisions need none.

        Raises:
            CandidateError: If the network cannot be exported.
        """

    @abstractmethod
    def load(self, model: Path, target: Target) -> Loaded:
        """Load a file that `export` wrote. May change the number of threads of the whole process.

        Raises:
            CandidateError: If the engine cannot load the file.
        """


def unknown(what: str, value: str, known: Sequence[str]) -> str:
    """Return the message for an unknown provider or precision, with the known ones."""
    return f"there is no {what} '{value}'; use {', '.join(known[:-1])}{' or ' if len(known) > 1 else ''}{known[-1]}"


def timing_images(shape: Sequence[int]) -> Array:
    """Return the input of timed runs: noise in [0, 1], the same in every process."""
    return np.random.default_rng(0).random(tuple(shape), dtype=np.float32)


def timing_input(shape: Sequence[int], dtype: str) -> NDArray[Any]:
    """Return the input of timed runs in any NumPy type: noise in [0, 1]; zeros for integers (may be indices)."""
    if np.issubdtype(np.dtype(dtype), np.floating):
        return timing_images(shape).astype(dtype, copy=False)
    return np.zeros(tuple(shape), dtype)
