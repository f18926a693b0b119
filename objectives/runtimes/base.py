"""The contract of an inference engine: turn a candidate into its file, and run that file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from objectives.device.fingerprint import cpu_fingerprint, gpu_fingerprint
from objectives.device.lock import device_named

if TYPE_CHECKING:
    from objectives.data.calibration import Calibration
    from objectives.device.target import Target
    from spaces.base import Candidate

Array = NDArray[np.float32]


class Loaded(ABC):
    """A network that an engine has ready."""

    @abstractmethod
    def __call__(self) -> None:
        """Run one batch, the same at each call, and return when it is done."""

    @abstractmethod
    def predict(self, images: Array) -> Array:
        """Return the network's first output, `output0` of `export_onnx`.

        Args:
            images: (target.batch, 3, H, W) in [0, 1], of the size that was exported.
        """


class Runtime(ABC):
    """An inference engine.

    `export` runs in the worker, `load` in the timing process, which has neither torch (but for the runtimes that are
    torch) nor Ultralytics: a runtime's module imports its engine inside the methods, and torch in `export` alone.
    Nothing spins between two runs.
    """

    name: str
    providers: tuple[str, ...]
    precisions: tuple[str, ...]
    short_name: str = ""
    """Its name in short names of targets (`ort` in `ort-cpu`); empty for `name`."""
    reads: tuple[str, ...] = ()
    """Formats of `python -m search.export` that it loads as they are: `onnx`, `openvino`."""
    suppresses: bool = False
    """Whether its files can end in non-maximum suppression (`Target.nms`)."""

    @abstractmethod
    def unavailable(self, provider: str, precision: str = "fp32") -> str | None:
        """Return why this provider and precision cannot run here, with the remedy; None if they can."""

    @abstractmethod
    def version(self) -> str:
        """Name and version of the engine, as it enters the target's key."""

    def on_cpu(self, provider: str) -> bool:
        """Return whether a provider runs on the CPU: one thread is then timed by CPU time, all else by wall time."""
        return provider == "cpu"

    def device_name(self, provider: str) -> str:
        """Return the device of a provider, as locks of all processes name it: `cpu`, `gpu0`, or a GPU's UUID.

        Measurements have this device alone. Override it for a device that is neither the CPU nor an NVIDIA GPU.

        Raises:
            TargetError: If CUDA_VISIBLE_DEVICES holds no GPU.
        """
        return "cpu" if self.on_cpu(provider) else device_named("cuda")

    def device(self, provider: str) -> str:
        """Return the fingerprint of a provider's device. Override it together with `device_name`.

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
            target: Says batch, threads, precision and whether NMS is part of the file.
            calibration: The images that int8 is calibrated on; other precisions need none.

        Raises:
            CandidateError: If the network does not export.
        """

    @abstractmethod
    def load(self, model: Path, target: Target) -> Loaded:
        """Load a file that `export` wrote. May set the threads of the whole process.

        Raises:
            CandidateError: If the engine does not load it.
        """


def unknown(what: str, value: str, known: Sequence[str]) -> str:
    """Return the line that says that there is no such provider or precision, and which there are."""
    return f"there is no {what} '{value}'; use {', '.join(known[:-1])}{' or ' if len(known) > 1 else ''}{known[-1]}"


def timing_images(shape: Sequence[int]) -> Array:
    """Return the batch that is timed: noise in [0, 1], the same in every process."""
    return np.random.default_rng(0).random(tuple(shape), dtype=np.float32)


def timing_input(shape: Sequence[int], dtype: str) -> NDArray[Any]:
    """Return input of any NumPy type, as `timing_images`: noise in [0, 1]; zeros for whole numbers (may be indices)."""
    if np.issubdtype(np.dtype(dtype), np.floating):
        return timing_images(shape).astype(dtype, copy=False)
    return np.zeros(tuple(shape), dtype)
