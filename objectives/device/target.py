"""Target of a latency: runtime, precision, input and device. A latency is valid for one target only."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

from spaces.base import MOST_IMGSZ, Candidate, SpaceError

MOST_BATCH = 4096
"""Maximum number of images per call, and of threads."""
STRIDE = 32
"""Largest stride of the detectors in px: image sizes must be multiples of it."""


_CORES = re.compile(r", \d+ cores(?=,|$)")


class TargetError(SpaceError):
    """Fault of the target's definition, or a target that this machine cannot measure."""


def without_cores(fingerprint: str) -> str:
    """Return the fingerprint of a CPU without the number of cores that the process might use."""
    return _CORES.sub("", fingerprint)


@dataclass(frozen=True)
class Target:
    """Runtime, precision, shape of the input and the device on which latency is measured.

    Attributes:
        runtime: Name of a `Runtime`: `onnxruntime`, `openvino`, ... (`yolofront targets` lists them).
        provider: Processor that the runtime uses: `cpu`, `cuda`.
        precision: `fp32`, `fp16` or `int8`.
        imgsz: Image size in px (square) of the reference, and of all candidates without a size of their own.
        batch: Number of images per call.
        threads: Number of CPU threads of the runtime.
        device: Fingerprint of the device, without hostnames: `AMD EPYC (family 25, model 1), x86_64`. Cores are counted
            where several threads are timed (`AMD EPYC (family 25, model 1), 8 cores, x86_64`), and in older databases.
        engine: The runtime's own version: `onnxruntime 1.31.1`.
        reference: Model that is timed in turn with the networks, and its shape: `yolov8n 0f3a...`. Latencies relative
            to different references have different targets: the frozen time of the reference belongs to the target.
        calibration: Hash of the images that int8 is calibrated on; empty in other precisions.
        remote: Name of the other machine (`jetson`); empty for the machine that the code runs on.
        nms: Whether non-maximum suppression of one typical image is timed as well.
        float_head: Whether the last convolutions of the detection head stay in float32 in an int8 file.
        on_cpu: Whether the provider runs on the CPU; None if only the provider `cpu` does.
    """

    runtime: str
    provider: str
    precision: str
    imgsz: int
    batch: int
    threads: int
    device: str
    engine: str
    reference: str = ""
    calibration: str = ""
    remote: str = ""
    nms: bool = False
    float_head: bool = False
    on_cpu: bool | None = None

    def __post_init__(self) -> None:
        if self.imgsz <= 0 or self.imgsz % STRIDE:
            raise TargetError(f"target: imgsz is {self.imgsz}; it must be a multiple of {STRIDE}")
        if self.imgsz > MOST_IMGSZ:
            raise TargetError(f"target: imgsz is {self.imgsz}; it must be at most {MOST_IMGSZ}")
        for name in ("batch", "threads"):
            if getattr(self, name) < 1:
                raise TargetError(f"target: {name} is {getattr(self, name)}; it must be at least 1")
            if getattr(self, name) > MOST_BATCH:
                raise TargetError(f"target: {name} is {getattr(self, name)}; it must be at most {MOST_BATCH}")

    @cached_property
    def key(self) -> str:
        """Hash of the description. Latencies can be compared and re-used if the keys of their targets are equal."""
        return hashlib.sha256(json.dumps(self.description(), sort_keys=True).encode()).hexdigest()[:32]

    def compared_with(self, reference: Candidate) -> Target:
        """Return the same target with that reference model.

        Raises:
            TargetError: If NMS is requested, but models of that family need none.
        """
        if self.nms and getattr(reference.network, "end2end", False):
            raise TargetError("target: nms is true, but this model's output is final (end-to-end); use nms: false")
        model = Path(str(getattr(reference.network, "yaml", {}).get("yaml_file", "custom"))).stem
        return replace(self, reference=f"{model} {reference.spec.shape_key}")

    def on_same_device(self, device: str) -> bool:
        """Return whether a fingerprint is that of an equal device; cores do not count for one thread."""
        if self.clock == "cpu":
            return without_cores(device) == without_cores(self.device)
        return device == self.device

    def description(self) -> dict[str, str | int]:
        """Return plain values. Fields added later are left out if empty, so that keys stored before them stay valid."""
        plain = asdict(self)
        if self.on_cpu is None:
            del plain["on_cpu"]
        for name in ("calibration", "remote", "nms", "float_head"):
            if not plain[name]:
                del plain[name]
        return plain

    def __str__(self) -> str:
        """Return one line for people: `onnxruntime cpu fp32, 96 px, batch 1, 1 thread, AMD EPYC (...)`."""
        threads = f"{self.threads} thread{'' if self.threads == 1 else 's'}"
        words = f"{self.runtime} {self.provider} {self.precision}{' with NMS' if self.nms else ''}"
        words += " with a float head" if self.float_head else ""
        device = f"{self.remote}: {self.device}" if self.remote else self.device
        return f"{words}, {self.imgsz} px, batch {self.batch}, {threads}, {device}"

    @property
    def runs_on_cpu(self) -> bool:
        """True if the network runs on the CPU."""
        return self.provider == "cpu" if self.on_cpu is None else self.on_cpu

    @property
    def clock(self) -> str:
        """Clock of the latency: `cpu` for one CPU thread (other work hardly changes it), else `wall`."""
        return "cpu" if self.runs_on_cpu and self.threads == 1 else "wall"
