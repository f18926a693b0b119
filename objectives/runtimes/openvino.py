"""OpenVINO, on the CPU or on an Intel GPU."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from objectives.device.target import TargetError
from objectives.runtimes.base import Array, Loaded, Runtime, timing_images, unknown
from objectives.runtimes.ort import export_model
from spaces.base import CandidateError

if TYPE_CHECKING:
    from objectives.data.calibration import Calibration
    from objectives.device.target import Target
    from spaces.base import Candidate

DEVICES: Final = {"cpu": "CPU", "gpu": "GPU"}
CAPABILITIES: Final = {"fp32": "FP32", "fp16": "FP16", "int8": "INT8"}
HINTS: Final = {"fp32": "f32", "fp16": "f16", "int8": "f32"}
"""Type of OpenVINO's computations outside of int8. By default it would use bfloat16 if the CPU supports it."""


class OpenVino(Runtime):
    """Intel's OpenVINO. It reads the same ONNX file as onnxruntime, also in int8."""

    name = "openvino"
    providers = tuple(DEVICES)
    precisions = tuple(CAPABILITIES)
    reads = ("onnx", "openvino")
    suppresses = True

    def unavailable(self, provider: str, precision: str = "fp32") -> str | None:
        """Return why this provider and precision cannot run here; None if they can."""
        if provider not in DEVICES:
            return unknown("provider", provider, self.providers)
        if precision not in CAPABILITIES:
            return unknown("precision", precision, self.precisions)
        if importlib.util.find_spec("openvino") is None:
            return "openvino is not installed; pip install openvino"
        device = DEVICES[provider]
        if device not in {name.partition(".")[0] for name in _core().available_devices}:
            return "openvino lists no GPU of Intel's; apt-get install intel-opencl-icd, or use provider: cpu"
        capabilities = _core().get_property(device, "OPTIMIZATION_CAPABILITIES")
        if CAPABILITIES[precision] not in capabilities:
            return f"openvino does not compute in {precision} on this {device}; use precision: fp32"
        return None

    def version(self) -> str:
        """Return the name and version of the engine."""
        import openvino

        return f"openvino {openvino.__version__.partition('-')[0]}"

    def device_name(self, provider: str) -> str:
        """Return the name of the device. An Intel GPU is always `gpu0`, independent of CUDA's numbering."""
        return "cpu" if self.on_cpu(provider) else "gpu0"

    def device(self, provider: str) -> str:
        """Return the fingerprint of the device."""
        if provider == "cpu":
            return super().device(provider)
        if missing := self.unavailable(provider):
            raise TargetError(f"target: {missing}")
        return str(_core().get_property(DEVICES[provider], "FULL_DEVICE_NAME"))

    def export(
        self, candidate: Candidate, folder: Path, target: Target, calibration: Calibration | None = None
    ) -> Path:
        """Write `model.onnx`."""
        return export_model(candidate, folder, target, calibration)

    def load(self, model: Path, target: Target) -> Loaded:
        """Compile for the device. Each call runs one batch; on the CPU it runs in the caller's own thread."""
        try:
            return _Request(_core().compile_model(model, DEVICES[target.provider], _properties(target)))
        except Exception as error:  # RuntimeError, and other errors of the device's plugin
            raise CandidateError(f"openvino does not load the network: {error}") from error


@cache
def _core() -> Any:
    import openvino

    return openvino.Core()


def _properties(target: Target) -> dict[str, Any]:
    """Return the properties for single images. Unpinned: pinned threads of several processes would share cores."""
    hints = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": "1", "INFERENCE_PRECISION_HINT": HINTS[target.precision]}
    if target.provider != "cpu":
        return hints
    return hints | {
        "INFERENCE_NUM_THREADS": target.threads,
        "ENABLE_CPU_PINNING": False,
        "ENABLE_HYPER_THREADING": True,  # as many threads as requested, on any kind of core
        "CPU_DENORMALS_OPTIMIZATION": True,  # treated as zero: the weights then do not affect the time
    }


class _Request(Loaded):
    def __init__(self, compiled: Any) -> None:
        self._request = compiled.create_infer_request()
        self._set(timing_images(compiled.input(0).shape))

    def __call__(self) -> None:
        self._request.infer(None, share_outputs=True)

    def predict(self, images: Array) -> Array:
        before = self._request.get_input_tensor().data.copy()
        self._set(images)
        self()
        output: Array = self._request.get_output_tensor(0).data.copy()
        self._set(before)
        return output

    def _set(self, images: Array) -> None:
        import openvino

        self._request.set_input_tensor(openvino.Tensor(images))
