"""Recognises errors that mean that memory ran out, on the CPU or a GPU: such an error is the candidate's fault."""

from __future__ import annotations

import re

OUT_OF_MEMORY = re.compile(
    r"out of memory|not enough memory|can't allocate memory|cannot allocate memory|CUBLAS_STATUS_ALLOC_FAILED", re.I
)
"""Pattern of a `RuntimeError`'s text: of CUDA, of PyTorch's CPU allocator, of `mmap` and of cuBLAS."""


def out_of_memory(error: BaseException) -> str | None:
    """Return the first line of an error if it means that memory ran out; None for any other error."""
    text = str(error).strip()
    if not isinstance(error, MemoryError) and not (isinstance(error, RuntimeError) and OUT_OF_MEMORY.search(text)):
        return None
    return text.splitlines()[0] if text else "no memory left"
