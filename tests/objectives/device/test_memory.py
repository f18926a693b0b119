"""Out-of-memory errors are distinguished from all others."""

from __future__ import annotations

import pytest
import torch

from objectives.device.memory import out_of_memory


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 8.00 EiB for an array"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 4 bytes."),
        RuntimeError("unable to mmap 8 bytes: Cannot allocate memory (12)"),
        RuntimeError("could not create a primitive"),  # of oneDNN, seen with little address space left
        RuntimeError("std::bad_alloc"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_each_kind_is_recognised_and_described_in_one_line(error: Exception) -> None:
    assert out_of_memory(type(error)(f"{error}\nstack of the allocator")) == str(error)


def test_the_real_errors_of_torch_and_python_are_recognised() -> None:
    with pytest.raises(RuntimeError) as refused:
        torch.empty(2**55)  # 128 PiB of float32: more than an address space holds
    assert out_of_memory(refused.value)
    assert out_of_memory(MemoryError()) == "no memory left"


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("a bug"),
        RuntimeError("could not create a primitive descriptor for a convolution"),
        ValueError("out of memory"),
        KeyboardInterrupt(),
    ],
)
def test_other_errors_are_not_recognised(error: BaseException) -> None:
    assert out_of_memory(error) is None
