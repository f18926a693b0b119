"""Recognition of out-of-memory errors, on the CPU or a GPU: such an error is the candidate's fault."""

from __future__ import annotations

import re

OUT_OF_MEMORY = re.compile(
    r"out of memory|not enough memory|can't allocate memory|cannot allocate memory|CUBLAS_STATUS_ALLOC_FAILED"
    r"|bad[_ ]alloc|could not create a primitive(?! descriptor)",
    re.I,
)
"""Pattern in the text of a `RuntimeError` of CUDA, PyTorch's CPU allocator, `mmap`, cuBLAS, C++ or oneDNN."""


def out_of_memory(error: BaseException) -> str | None:
    """Return the first line of an error if it means that memory ran out; None for any other error."""
    text = str(error).strip()
    if not isinstance(error, MemoryError) and not (isinstance(error, RuntimeError) and OUT_OF_MEMORY.search(text)):
        return None
    return text.splitlines()[0] if text else "no memory left"
