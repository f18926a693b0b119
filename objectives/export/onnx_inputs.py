"""Inputs of an ONNX file of any origin, and the same file with every dimension fixed, so that it can be timed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spaces.base import SpaceError

MOST_VALUES = 2**26
"""Maximum number of values of one input: 1x3x4729x4729."""
MOST_FILE_BYTES = 2**31
"""Maximum size of an ONNX file; protobuf has the same. Weights may lie in a second file."""


class OnnxError(SpaceError):
    """File that is no ONNX network, or that cannot be timed as it is."""


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
        """Whether it is a batch of images: (N, 3, H, W), or with one channel, or four."""
        return len(self.shape) == 4 and self.shape[1] in (1, 3, 4)

    def __str__(self) -> str:
        """Return text such as `images float32 1x3x640x640`; `?` where a dimension is open."""
        return f"{self.name} {self.dtype} {'x'.join('?' if size is None else str(size) for size in self.shape)}"


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
    import onnx

    if (size := path.stat().st_size) > MOST_FILE_BYTES:
        raise OnnxError(f"'{path}' is {size / 2**30:.1f} GiB; at most {MOST_FILE_BYTES / 2**30:.0f} GiB are read")
    content = path.read_bytes()
    try:
        model = onnx.load_model_from_string(content)
        onnx.load_external_data_for_model(model, str(path.parent))
    except OSError:
        raise
    except Exception as error:  # protobuf's errors share no base class with onnx's
        raise OnnxError(f"'{path}' is no ONNX file") from error
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
        raise OnnxError(f"the input '{entry.name}' is no tensor with a known number of dimensions")
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).name
    return OnnxInput(entry.name, dtype, tuple(_size(dimension) for dimension in tensor.shape.dim))


def _size(dimension: Any) -> int | str | None:
    if dimension.HasField("dim_value") and dimension.dim_value > 0:
        return int(dimension.dim_value)
    return dimension.dim_param or None
