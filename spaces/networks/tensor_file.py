"""Reads a safetensors file of any origin: tensors in float32, and metadata as texts. The reader of that format."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from spaces.base import SpaceError
from spaces.foreign.plain_json import Fields, parse_json
from spaces.shown import shown_reason, shown_value

LARGEST_HEADER_BYTES = 16 * 2**20
"""Maximum size of the header: names, types and shapes of some hundred thousand tensors."""
READ_TYPES = ("F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U8", "BOOL")
"""Types of tensors that torch can turn into float32, or keep."""


@dataclass(frozen=True)
class TensorFile:
    """Content of a safetensors file.

    Attributes:
        state: Its tensors, floating ones in float32.
        metadata: The texts in its header.
    """

    state: Mapping[str, Tensor] = field(repr=False)
    metadata: Mapping[str, str] = field(default_factory=dict)


def read_tensor_file(path: Path) -> TensorFile:
    """Return the content of a safetensors file.

    Raises:
        SpaceError: If it is damaged, or holds a tensor of a type that cannot be read.
    """
    try:
        metadata = _metadata(path)
        with safe_open(path, framework="pt") as file:
            return TensorFile({name: float32(file.get_tensor(name)) for name in file.keys()}, metadata)  # noqa: SIM118
    except SpaceError:
        raise
    except Exception as error:  # safetensors and torch raise errors of many kinds on odd bytes
        raise SpaceError(f"weights '{path}' cannot be read: {shown_reason(error)}") from error


def _metadata(path: Path) -> dict[str, str]:
    """Return the texts of the header, after a look at the type of every tensor."""
    with path.open("rb") as file:
        start = file.read(8)
        size = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= size <= LARGEST_HEADER_BYTES:
            raise SpaceError(f"weights '{path}' are no safetensors file: its header would have {size} bytes")
        header = file.read(size)
    where = f"weights '{path}': the header"
    fields = Fields.of(parse_json(header, where, SpaceError), where, SpaceError)
    texts = fields.inner("__metadata__") if "__metadata__" in fields else Fields(where, {}, SpaceError)
    for name, tensor in fields.items():
        if name != "__metadata__" and (kind := tensor.text("dtype")) not in READ_TYPES:
            raise SpaceError(
                f"weights '{path}': tensor {shown_value(name)} is of the type {shown_value(kind)}; "
                f"{', '.join(READ_TYPES)} can be read"
            )
    return {name: texts.text(name) for name in texts.values}


def float32(tensor: Tensor) -> Tensor:
    """Return a copy of a tensor, in float32 if it is of floating point."""
    return tensor.detach().to(torch.float32, copy=True) if tensor.is_floating_point() else tensor.detach().clone()
