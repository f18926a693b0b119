"""A network from outside can neither run without end nor take the memory of the machine: its timing process ends."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from objectives.export.onnx_inputs import with_sizes
from objectives.export.onnx_reading import OnnxError
from objectives.runtimes.catalogue import target_here
from objectives.timing import process
from objectives.timing.meter import LatencyMeter
from spaces.base import CandidateError

ROOT = Path(__file__).resolve().parents[3]
SILENT_S = 3.0


def write_loop(path: Path, turns: int, size: int = 32) -> Path:
    """A network that adds its image to itself so many times."""
    image = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, size, size])
    out = helper.make_tensor_value_info("sum", TensorProto.FLOAT, [1, 3, size, size])
    true = helper.make_tensor_value_info("true", TensorProto.BOOL, [])
    body = helper.make_graph(
        [
            helper.make_node("Add", ["before", "images"], ["after"]),
            helper.make_node("Identity", ["true"], ["again"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            true,
            helper.make_tensor_value_info("before", TensorProto.FLOAT, [1, 3, size, size]),
        ],
        [
            helper.make_tensor_value_info("again", TensorProto.BOOL, []),
            helper.make_tensor_value_info("after", TensorProto.FLOAT, [1, 3, size, size]),
        ],
    )
    constants = [
        helper.make_tensor("turns", TensorProto.INT64, [], [turns]),
        helper.make_tensor("go", TensorProto.BOOL, [], [True]),
    ]
    loop = helper.make_node("Loop", ["turns", "go", "images"], ["sum"], body=body)
    graph = helper.make_graph([loop], "loop", [image], [out], initializer=constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


def meter(reference: Path) -> LatencyMeter:
    return LatencyMeter(target_here(imgsz=32), reference, timeout_s=SILENT_S, tries=1)


def test_an_endless_network_ends_with_its_time(tmp_path: Path) -> None:
    short, endless = write_loop(tmp_path / "short.onnx", 2), write_loop(tmp_path / "endless.onnx", 2**62)
    with meter(short) as timing:
        begun = time.monotonic()
        with pytest.raises(CandidateError, match=r"^onnxruntime was silent for 3 s$"):
            timing.time_file(endless)
        assert time.monotonic() - begun < 3 * SILENT_S
        assert timing.process_id is None


def test_an_endless_reference_is_a_fault_of_its_file(tmp_path: Path) -> None:
    endless = write_loop(tmp_path / "endless.onnx", 2**62)
    with meter(endless) as timing, pytest.raises(CandidateError, match="the timing process was silent for 3 s"):
        timing.reference_ms()


def test_a_network_that_is_slow_again_and_again_ends_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("objectives.timing.meter.LONGEST", 0.5)
    short = write_loop(tmp_path / "short.onnx", 2)
    slow = write_loop(tmp_path / "slow.onnx", 20_000)
    with meter(short) as timing, pytest.raises(CandidateError, match=r"^onnxruntime took longer than 1.5 s$"):
        timing.time_file(slow)


def test_more_memory_than_is_free_cannot_be_taken() -> None:
    code = (
        "import numpy\nfrom objectives.timing.process import limit_memory\n"
        "numpy.zeros(3 * 2**30, dtype=numpy.uint8)\nlimit_memory(2**20)\n"
        "try:\n    numpy.zeros(3 * 2**30, dtype=numpy.uint8)\nexcept MemoryError:\n    print('refused')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("refused\n", "")


def test_free_memory_is_read_where_the_system_tells_it(tmp_path: Path) -> None:
    file = tmp_path / "meminfo"
    file.write_text("MemTotal:  9 kB\nMemAvailable:     7 kB\n")
    assert process.free_memory_bytes(file) == 7 * 1024
    assert process.free_memory_bytes(tmp_path / "absent") is None
    process.limit_memory(None)


def test_an_input_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    file = write_loop(tmp_path / "wide.onnx", 1, size=100_000)
    with pytest.raises(OnnxError, match="has 30,000,000,000 values; at most 67,108,864 are timed"):
        with_sizes(file, tmp_path / "out.onnx", imgsz=None, batch=None)
    large = tmp_path / "large.onnx"
    with large.open("wb") as opened:
        opened.truncate(2**31 + 1)
    with pytest.raises(OnnxError, match=r"large.onnx' is 2.0 GiB"):
        with_sizes(large, tmp_path / "out.onnx", imgsz=None, batch=None)
