"""Reads an ONNX file of any origin, with the second file that its weights may lie in. The reader of that format."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spaces.base import SpaceError
from spaces.shown import shown_value

MOST_FILE_BYTES = 2**31
"""Maximum size of an ONNX file; protobuf has the same. Weights may lie in a second file."""


class OnnxError(SpaceError):
    """File that is no ONNX network, or that cannot be timed as it is."""


def read_onnx(path: Path, *, weights: bool = True) -> Any:
    """Return the model of an ONNX file.

    Args:
        weights: Whether weights that lie in another file are read, too.

    Raises:
        OnnxError: If it is no ONNX file, or its weights lie in a file that is missing, too short or elsewhere.
        OSError: If it cannot be read.
    """
    import onnx

    if (size := path.stat().st_size) > MOST_FILE_BYTES:
        raise OnnxError(f"'{path}' is {size / 2**30:.1f} GiB; at most {MOST_FILE_BYTES / 2**30:.0f} GiB are read")
    content = path.read_bytes()
    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:  # protobuf's errors share no base class with onnx's
        raise OnnxError(f"'{path}' is no ONNX file") from error
    if weights:
        for tensor in _tensors(model.graph):
            if tensor.data_location == onnx.TensorProto.EXTERNAL:
                _check_external(path, tensor)
        try:
            onnx.load_external_data_for_model(model, str(path.parent))
        except Exception as error:  # those of onnx, its checker and protobuf
            raise OnnxError(f"'{path}' keeps its weights in another file, which cannot be read") from error
    return model


def _tensors(graph: Any) -> Iterator[Any]:
    """Yield all tensors with values: weights, and those in attributes of operations, in inner graphs too."""
    pending = [graph]
    while pending:
        part = pending.pop()
        yield from part.initializer
        for sparse in part.sparse_initializer:
            yield from (sparse.values, sparse.indices)
        for node in part.node:
            for attribute in node.attribute:
                yield from (attribute.t, *attribute.tensors)
                pending += [*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])]


def _check_external(path: Path, tensor: Any) -> None:
    """Make sure that the values of a tensor lie in a file beside the ONNX file, which is long enough."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    name = entries.get("location", "")
    where = f"'{path}' keeps its weights in {shown_value(name)}"
    try:
        file = path.parent / name
        begin, size = int(entries.get("offset", "0")), int(entries.get("length", "0"))
        if not file.resolve().is_relative_to(path.parent.resolve()) or file.is_symlink():
            raise OnnxError(f"{where}, outside of its own folder; only files beside it are read")
        if not name or not file.is_file():
            raise OnnxError(f"{where}, which is not beside it; copy both files")
        if begin < 0 or size < 0 or begin + size > file.stat().st_size:
            raise OnnxError(f"{where}, which has {file.stat().st_size} bytes and lacks a part; copy it again")
    except OnnxError:
        raise
    except (OSError, ValueError) as error:
        raise OnnxError(f"{where}, which cannot be the name or place of a file") from error
