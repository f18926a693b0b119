"""Inputs of an ONNX file of any origin, and the same file with every dimension fixed, so that it can be timed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from objectives.export.onnx_reading import OnnxError, read_onnx
from spaces.shown import LONGEST_VALUE, shown, shown_value

MOST_VALUES = 2**26
"""Maximum number of values of one input: 1x3x4729x4729."""
MOST_SHOWN = 8
"""Maximum number of dimensions of an input that a message shows."""


@dataclass(frozen=True)
class OnnxInput:
    """Name, type and shape of one input.

    Attributes:
        dtype: Numpy's name of its type: `float32`.
        shape: Its dimensions; None, or a name, where they are open.
    """

    name: str
    dtype: str
    shape: tuple[int | str | None, ...]

    @property
    def is_image(self) -> bool:
        """True if it is a batch of images: (N, 3, H, W), or with one channel, or four."""
        return len(self.shape) == 4 and self.shape[1] in (1, 3, 4)

    def __str__(self) -> str:
        """Return text such as `images float32 1x3x640x640`; `?` where a dimension is open."""
        sizes = "x".join("?" if size is None else shown(size, most=LONGEST_VALUE) for size in self.shape[:MOST_SHOWN])
        return f"{shown(self.name, most=LONGEST_VALUE)} {self.dtype} {sizes}"


def with_sizes(path: Path, out: Path, *, imgsz: int | None, batch: int | None) -> tuple[OnnxInput, ...]:
    """Write the file with its open dimensions fixed: the first is the batch, an image's last two its size.

    Raises:
        OnnxError: If a dimension stays open, or the file is fixed at another size; the message names the option.
    """
    import onnx

    model = _read(path)
    settled: list[OnnxInput] = []
    for entry in _own_inputs(model):
        sizes = _settled(_input(entry), imgsz, batch)
        for dimension, size in zip(entry.type.tensor_type.shape.dim, sizes, strict=True):
            dimension.dim_value = size
        settled.append(_input(entry))
        _check_size(settled[-1])
    del model.graph.value_info[:]  # inner shapes may name the open dimensions
    onnx.save(model, str(out), save_as_external_data=model.ByteSize() > onnx.checker.MAXIMUM_PROTOBUF)
    return tuple(settled)


def _settled(entry: OnnxInput, imgsz: int | None, batch: int | None) -> Sequence[int]:
    asked: list[tuple[str, int | None]] = [("", None)] * len(entry.shape)
    if entry.shape:
        asked[0] = ("--batch", batch)
    if entry.is_image:
        asked[2:] = [("--imgsz", imgsz), ("--imgsz", imgsz)]
    sizes = []
    for place, (size, (option, value)) in enumerate(zip(entry.shape, asked, strict=True)):
        if isinstance(size, int):
            if entry.is_image and value is not None and value != size:  # another input may have any first dimension
                raise OnnxError(f"{option} is {value}, but the file's input is fixed: {entry}")
            sizes.append(size)
        elif value is None:
            remedy = f"give {option}" if option else "export the file with that size fixed"
            raise OnnxError(f"dimension {place} of the input '{entry}' is open; {remedy}")
        else:
            sizes.append(value)
    return sizes


def _check_size(entry: OnnxInput) -> None:
    """Refuse an input whose values alone would fill the memory; a reference is timed at the same image size."""
    values = math.prod(size for size in entry.shape if isinstance(size, int))
    if values > MOST_VALUES:
        raise OnnxError(f"the input '{str(entry)[:200]}' has {values:,} values; at most {MOST_VALUES:,} are timed")


def _read(path: Path) -> Any:
    model = read_onnx(path)
    if not model.graph.node or not _own_inputs(model):
        raise OnnxError(f"'{path}' is no ONNX network: it has no operation or no input")
    return model


def _own_inputs(model: Any) -> list[Any]:
    """Return the inputs that the caller gives, without the weights that old files list among them."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return [entry for entry in model.graph.input if entry.name not in weights]


def _input(entry: Any) -> OnnxInput:
    import onnx

    tensor = entry.type.tensor_type
    if not entry.type.HasField("tensor_type") or not tensor.HasField("shape"):
        raise OnnxError(f"the input {shown_value(entry.name)} is no tensor with a known number of dimensions")
    try:
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).name
    except (KeyError, ValueError, TypeError):
        raise OnnxError(f"the input {shown_value(entry.name)} is of no known type ({tensor.elem_type})") from None
    return OnnxInput(entry.name, dtype, tuple(_size(dimension) for dimension in tensor.shape.dim))


def _size(dimension: Any) -> int | str | None:
    if dimension.HasField("dim_value") and dimension.dim_value > 0:
        return int(dimension.dim_value)
    return dimension.dim_param or None
