"""Recognition of GPU errors that may pass: the GPU is taken or failed, and that is not the fault of a candidate."""

from __future__ import annotations

import re

MAY_PASS = re.compile(
    r"busy or unavailable|no CUDA-capable device is detected|device not ready|system not yet initialized"
    r"|initialization error|driver shutting down"
    r"|uncorrectable (?:ECC|NVLink) error|hardware stack error|or a hardware error|GPU is lost|fallen off the bus"
    r"|unspecified launch failure|launch timed out|CUDA error: unknown error"
    r"|MPS (?:client|server|control)"
    r"|CU(?:BLAS|DNN)_STATUS_NOT_INITIALIZED",
    re.I,
)
"""Pattern in the text of a `RuntimeError` of CUDA, after names in NVIDIA's list of errors of the runtime API."""


def gpu_fault(error: BaseException) -> str | None:
    """Return the first line of an error if it means that the GPU is taken or failed; None for any other error."""
    text = str(error).strip()
    return text.splitlines()[0] if isinstance(error, RuntimeError) and MAY_PASS.search(text) else None
