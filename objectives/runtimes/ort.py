"""Onnxruntime, on the CPU, on CUDA, or through TensorRT."""

from __future__ import annotations

import ctypes.util
import importlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from objectives.device.fingerprint import gpu_fingerprint
from objectives.device.target import TargetError
from objectives.runtimes.base import Array, Loaded, Runtime, timing_input, unknown
from spaces.base import CandidateError

if TYPE_CHECKING:
    from objectives.data.calibration import Calibration
    from objectives.device.target import Target
    from spaces.base import Candidate

ORT_PROVIDERS: Final = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
NUMPY_TYPES: Final = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(bool)": "bool",
    **{f"tensor({sign}int{bits})": f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}
"""Names of input types, in onnxruntime and in numpy."""
_GPU_BUILD: Final = "pip uninstall -y onnxruntime && pip install onnxruntime-gpu"  # both are the module `onnxruntime`
INSTALL: Final = {
    "cpu": "pip install onnxruntime",
    "cuda": _GPU_BUILD,
    "tensorrt": f"{_GPU_BUILD} tensorrt",
}


class OnnxRuntime(Runtime):
    """Microsoft's onnxruntime. Its threads do not spin between calls, so an idle session uses no CPU time."""

    name = "onnxruntime"
    providers = tuple(ORT_PROVIDERS)
    precisions = ("fp32", "fp16", "int8")
    short_name = "ort"
    reads = ("onnx",)
    suppresses = True

    def unavailable(self, provider: str, precision: str = "fp32") -> str | None:
        """Return why this provider and precision cannot run here; None if they can."""
        if provider not in ORT_PROVIDERS:
            return unknown("provider", provider, self.providers)
        if precision not in self.precisions:
            return unknown("precision", precision, self.precisions)
        if importlib.util.find_spec("onnxruntime") is None:
            return f"onnxruntime is not installed; {INSTALL[provider]}"
        import onnxruntime

        if ORT_PROVIDERS[provider] not in onnxruntime.get_available_providers():
            return f"this onnxruntime has no {ORT_PROVIDERS[provider]}; {INSTALL[provider]}"
        if provider == "cuda" and precision == "int8":
            return "onnxruntime's CUDA provider has no int8 convolutions; use provider: tensorrt"
        return None if provider == "cpu" else _gpu_unavailable(provider)

    def version(self) -> str:
        """Return the name and version of the engine."""
        import onnxruntime

        return f"onnxruntime {onnxruntime.__version__}"

    def export(
        self, candidate: Candidate, folder: Path, target: Target, calibration: Calibration | None = None
    ) -> Path:
        """Write `model.onnx`."""
        return export_model(candidate, folder, target, calibration, signed=target.provider == "tensorrt")

    def load(self, model: Path, target: Target) -> Loaded:
        """Open a session. Each call runs one batch that is already on the device."""
        try:
            return _Session(open_session(model, target.provider, target.threads, target.precision), target.provider)
        except Exception as error:  # onnxruntime's own errors share no base class
            raise CandidateError(f"onnxruntime does not load the network: {error}") from error


def export_model(
    candidate: Candidate, folder: Path, target: Target, calibration: Calibration | None, *, signed: bool = False
) -> Path:
    """Write `model.onnx` in the target's precision, with NMS if the target has it and the network needs it.

    Raises:
        CandidateError: If the network cannot be exported.
        TargetError: If int8 has no images to calibrate on.
    """
    from objectives.export.onnx_file import export_onnx  # imports torch: not in the timing process
    from objectives.runtimes.quantization import quantize
    from objectives.runtimes.suppression import add_suppression

    int8 = target.precision == "int8"
    if int8 and calibration is None:
        raise TargetError("target: precision is int8, which is calibrated on images; none were given")
    precision = "fp32" if int8 else target.precision
    model = export_onnx(candidate, folder / "model.onnx", batch=target.batch, precision=precision)
    if int8 and calibration is not None:
        images = calibration.at(candidate.imgsz)
        quantize(model, images, batch=target.batch, signed=signed, float_head=target.float_head)
    if target.nms and not getattr(candidate.network, "end2end", False):  # an end-to-end network has no NMS to time
        add_suppression(model, len(candidate.classes))
    return model


def open_session(model: Path, provider: str = "cpu", threads: int = 1, precision: str = "fp32") -> Any:
    """Return an `onnxruntime.InferenceSession` that neither spins nor logs.

    Denormal numbers are treated as zero: so a network's speed depends on its architecture, not on its weights. On GPUs
    fp32 has the default meaning of the engines: convolutions may use TF32.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # fatal: errors are raised anyway
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    if provider != "cpu":
        _find_gpu_libraries(provider)
    session = onnxruntime.InferenceSession(str(model), options, providers=_with_options(provider, precision))
    if session.get_providers()[0] != ORT_PROVIDERS[provider]:  # it falls back to the CPU without an error
        raise RuntimeError(f"{ORT_PROVIDERS[provider]} did not start; onnxruntime would have used the CPU")
    return session


def _with_options(provider: str, precision: str) -> list[Any]:
    """Return the provider with its options, then the provider for the operations that it lacks."""
    if provider != "tensorrt":
        return [ORT_PROVIDERS[provider]]
    options = {"trt_fp16_enable": precision == "fp16", "trt_int8_enable": precision == "int8"}
    return [(ORT_PROVIDERS["tensorrt"], options), ORT_PROVIDERS["cuda"]]


def _gpu_unavailable(provider: str) -> str | None:
    try:
        gpu_fingerprint()
    except TargetError as error:
        return str(error).removeprefix("target: ")
    has_tensorrt = importlib.util.find_spec("tensorrt") is not None or ctypes.util.find_library("nvinfer") is not None
    if provider == "tensorrt" and not has_tensorrt:
        return "TensorRT is not installed; pip install tensorrt"
    return None


def _find_gpu_libraries(provider: str) -> None:
    """Load CUDA, cuDNN and TensorRT as installed by pip: onnxruntime itself searches only the system's folders."""
    import onnxruntime

    if hasattr(onnxruntime, "preload_dlls"):  # since 1.21; boards have older builds
        onnxruntime.preload_dlls()
    if provider == "tensorrt" and importlib.util.find_spec("tensorrt") is not None:
        importlib.import_module("tensorrt")


class _Session(Loaded):
    def __init__(self, session: Any, provider: str) -> None:
        self._session = session
        self._binding = _bind(session, "cpu" if provider == "cpu" else "cuda")

    def __call__(self) -> None:
        self._session.run_with_iobinding(self._binding)
        self._binding.synchronize_outputs()  # returns at once on the CPU

    def predict(self, images: Array) -> Array:
        (images_input,) = self._session.get_inputs()
        output: Array = self._session.run(None, {images_input.name: images})[0]
        return output


def _bind(session: Any, memory: str) -> Any:
    import onnxruntime

    binding = session.io_binding()
    for entry in session.get_inputs():  # with static shape; files from elsewhere may have several inputs
        values = timing_input(entry.shape, NUMPY_TYPES[entry.type])
        binding.bind_ortvalue_input(entry.name, onnxruntime.OrtValue.ortvalue_from_numpy(values, memory, 0))
    for output in session.get_outputs():
        binding.bind_output(output.name, memory)
    return binding
