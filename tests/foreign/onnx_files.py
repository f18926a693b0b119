"""ONNX files with a fault, also in the file that their weights lie in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from onnx import TensorProto, helper

from tests.foreign.texts import ESCAPE


def _network(**changes: Any) -> Any:
    node = helper.make_node("Relu", [changes.get("input", "x")], ["y"])
    shape = changes.get("shape", [1, 3, 64, 64])
    kind = changes.get("kind", TensorProto.FLOAT)
    given = [helper.make_tensor_value_info(changes.get("input", "x"), kind, shape)]
    graph = helper.make_graph([node], "g", given, [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _external(
    location: str, *, offset: str = "0", length: str = "16", file: bytes | None = None
) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        model = _network()
        weight = model.graph.initializer.add(name="w", data_type=TensorProto.FLOAT, dims=[4])
        weight.data_location = TensorProto.EXTERNAL
        for key, value in (("location", location), ("offset", offset), ("length", length)):
            weight.external_data.add(key=key, value=value)
        path.write_bytes(model.SerializeToString())
        if file is not None:
            (path.parent / "w.data").write_bytes(file)

    return write


def _linked(path: Path) -> None:
    _external("w.data")(path)
    (path.parent / "w.data").symlink_to("/etc/passwd")


ONNX_FILES: dict[str, bytes] = {
    "no operation": helper.make_model(helper.make_graph([], "g", [], [])).SerializeToString(),
    "an input with escape codes": _network(input=ESCAPE, shape=["n", 3, "h", ESCAPE]).SerializeToString(),
    "an open dimension": _network(shape=[1, 3, 64, 64, "open"]).SerializeToString(),
    "a thousand dimensions": _network(shape=[1] * 1000 + ["open"]).SerializeToString(),
    "an input of texts": _network(kind=TensorProto.STRING, shape=["n"] * 2).SerializeToString(),
    "an input of no type": _network(kind=250).SerializeToString(),
    "an input without a shape": _network(shape=None).SerializeToString(),
    "another size": _network(shape=[1, 3, 128, 128]).SerializeToString(),
    "cut": _network().SerializeToString()[:-7],
    "good": _network().SerializeToString(),
}

EXTERNAL: dict[str, Callable[[Path], None]] = {
    "weights that are not there": _external("w.data"),
    "weights that are too short": _external("w.data", file=b"\0" * 3),
    "weights in another folder": _external("../w.data"),
    "weights at an absolute path": _external("/etc/passwd"),
    "weights behind a link": _linked,
    "weights at a place that is no number": _external("w.data", offset="x", file=b"\0" * 16),
    "weights before the file": _external("w.data", offset="-5", file=b"\0" * 16),
    "weights with escape codes": _external(ESCAPE),
    "weights of null bytes": _external("\0"),
    "weights with a long name": _external("a" * 5000),
    "weights without a name": _external(""),
}
