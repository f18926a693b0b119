"""Runtimes by name. A new runtime is one file, and one line here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from objectives.device.target import Target, TargetError, without_cores
from objectives.runtimes.base import Runtime
from objectives.runtimes.openvino import OpenVino
from objectives.runtimes.ort import OnnxRuntime
from objectives.runtimes.torch_native import TorchCompiled, TorchEager
from spaces.suggestion import did_you_mean

RUNTIMES: dict[str, Runtime] = {
    runtime.name: runtime for runtime in (OnnxRuntime(), OpenVino(), TorchEager(), TorchCompiled())
}


@dataclass(frozen=True)
class RuntimeOption:
    """Combination of a runtime, one of its providers and one of its precisions.

    Attributes:
        missing: Reason why this machine cannot run it, with the remedy; None if it can.
    """

    runtime: Runtime
    provider: str
    precision: str
    missing: str | None

    def __str__(self) -> str:
        """Return the engine and device, or the reason why it cannot run here."""
        return self.missing or f"{self.runtime.version()} on {self.runtime.device(self.provider)}"


def runtime_options() -> Iterator[RuntimeOption]:
    """Yield all combinations, including those that cannot run here."""
    for runtime in RUNTIMES.values():
        for provider in runtime.providers:
            for precision in runtime.precisions:
                yield RuntimeOption(runtime, provider, precision, runtime.unavailable(provider, precision))


def runtime_named(name: str) -> Runtime:
    """Return the runtime with that name.

    Raises:
        TargetError: If there is no such runtime.
    """
    if name in RUNTIMES:
        return RUNTIMES[name]
    raise TargetError(f"target: there is no runtime '{name}'; {did_you_mean(name, RUNTIMES)}")


def target_here(
    runtime: str = "onnxruntime",
    provider: str = "cpu",
    precision: str = "fp32",
    *,
    imgsz: int = 640,
    batch: int = 1,
    threads: int = 1,
    calibration: str = "",
    nms: bool = False,
    float_head: bool = False,
) -> Target:
    """Return the target with that description on this machine.

    Raises:
        TargetError: If the runtime, provider or precision is unknown or cannot run here, or has no NMS.
    """
    engine = runtime_named(runtime)
    if precision not in engine.precisions:
        raise TargetError(f"target: precision is '{precision}'; {runtime} has {', '.join(engine.precisions)}")
    if missing := engine.unavailable(provider, precision):
        raise TargetError(f"target: {runtime} cannot run here: {missing}")
    if precision == "int8" and not calibration:
        raise TargetError("target: precision is int8, which needs a study's images to calibrate on; use fp32")
    if nms and not engine.suppresses:
        others = " or ".join(each.name for each in RUNTIMES.values() if each.suppresses)
        raise TargetError(f"target: nms is true, which {runtime} has not; use runtime: {others}")
    on_cpu, device = engine.on_cpu(provider), engine.device(provider)
    return Target(
        runtime=runtime,
        provider=provider,
        precision=precision,
        imgsz=imgsz,
        batch=batch,
        threads=threads,
        device=without_cores(device) if on_cpu and threads == 1 else device,
        engine=engine.version(),
        calibration=calibration,
        nms=nms,
        float_head=float_head,
        on_cpu=None if on_cpu == (provider == "cpu") else on_cpu,
    )


def runtimes_reading(file_format: str) -> tuple[str, ...]:
    """Return the names of the runtimes that can load an export format unchanged."""
    return tuple(runtime.name for runtime in RUNTIMES.values() if file_format in runtime.reads)
