"""onnxruntime, on the CPU or on CUDA."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from objectives.runtimes.base import Runtime
from spaces.base import CandidateError

if TYPE_CHECKING:
    from objectives.target import Target
    from spaces.base import Candidate

PROVIDERS: Final = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
INSTALL: Final = {"cpu": "pip install onnxruntime", "cuda": "pip install onnxruntime-gpu"}


class OnnxRuntime(Runtime):
    """Microsoft's onnxruntime; its threads do not spin between calls, so an idle session costs nothing."""

    name = "onnxruntime"
    providers = tuple(PROVIDERS)
    precisions = ("fp32", "fp16")

    def unavailable(self, provider: str) -> str | None:
        """Why it cannot run here with that provider; None if it can."""
        if provider not in PROVIDERS:
            return f"there is no provider '{provider}'; use {' or '.join(PROVIDERS)}"
        if importlib.util.find_spec("onnxruntime") is None:
            return f"onnxruntime is not installed; {INSTALL[provider]}"
        import onnxruntime

        if PROVIDERS[provider] not in onnxruntime.get_available_providers():
            return f"this onnxruntime has no {PROVIDERS[provider]}; {INSTALL[provider]}"
        return None

    def version(self) -> str:
        """Name and version of the engine."""
        import onnxruntime

        return f"onnxruntime {onnxruntime.__version__}"

    def export(self, candidate: Candidate, folder: Path, target: Target) -> Path:
        """Write `model.onnx`."""
        from objectives.onnx_export import export_onnx  # imports torch: not in the timing process

        return export_onnx(candidate, folder / "model.onnx", batch=target.batch, precision=target.precision)

    def load(self, model: Path, target: Target) -> Callable[[], None]:
        """Open a session; each call runs one batch that lies on the device already."""
        try:
            session = open_session(model, target.provider, target.threads)
            binding = _bind(session, target)
        except Exception as error:  # onnxruntime's own errors share no base class
            raise CandidateError(f"onnxruntime does not load the network: {error}") from error

        def run() -> None:
            session.run_with_iobinding(binding)
            binding.synchronize_outputs()  # returns at once on the CPU

        return run


def open_session(model: Path, provider: str = "cpu", threads: int = 1) -> Any:
    """An `onnxruntime.InferenceSession` that neither spins nor logs.

    Denormal numbers count as zero: a network's speed then depends on its architecture, not on its weights.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # fatal: errors are raised anyway
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    session = onnxruntime.InferenceSession(str(model), options, providers=[PROVIDERS[provider]])
    if session.get_providers()[0] != PROVIDERS[provider]:  # it falls back to the CPU without an error
        raise RuntimeError(f"{PROVIDERS[provider]} did not start; onnxruntime would have used the CPU")
    return session


def _bind(session: Any, target: Target) -> Any:
    import onnxruntime

    (entry,) = session.get_inputs()
    image = np.random.default_rng(0).random(entry.shape, dtype=np.float32)  # exported with a static shape
    binding = session.io_binding()
    binding.bind_ortvalue_input(entry.name, onnxruntime.OrtValue.ortvalue_from_numpy(image, target.provider, 0))
    for output in session.get_outputs():
        binding.bind_output(output.name, target.provider)
    return binding
