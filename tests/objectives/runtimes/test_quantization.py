"""Recognition of processors that need weights of 7 bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from objectives.export.onnx_file import export_onnx
from objectives.export.onnx_reading import read_onnx
from objectives.runtimes.quantization import overflows, quantize
from tests.objectives.networks import candidate


@pytest.mark.parametrize(
    ("flags", "narrow"),
    [
        ("sse4_2 avx2 fma", True),
        ("avx2 avx512f avx512_vnni", False),
        ("avx2 avx_vnni", False),
        ("asimd asimddp", False),
    ],
)
def test_x86_without_vnni_adds_in_16_bits(tmp_path: Path, flags: str, narrow: bool) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor: 0\nflags: fpu {flags}\n")
    assert overflows(cpuinfo) is narrow


def test_an_unknown_processor_gets_8_bits(tmp_path: Path) -> None:
    assert not overflows(tmp_path / "none")


def test_the_last_convolutions_of_the_head_can_stay_in_float(tmp_path: Path) -> None:
    """A convolution is in int8 if its weights come from a `DequantizeLinear`."""
    images = [np.random.default_rng(0).random((3, 64, 64), dtype=np.float32)]

    def in_int8(float_head: bool) -> set[str]:
        model = export_onnx(candidate(width=0.125, imgsz=64), tmp_path / f"{float_head}.onnx")
        quantize(model, images, batch=1, signed=False, float_head=float_head)
        graph = read_onnx(model).graph
        made = {name for node in graph.node if node.op_type == "DequantizeLinear" for name in node.output}
        return {node.name for node in graph.node if node.op_type == "Conv" and node.input[1] in made}

    last = {f"/model.22/cv{branch}.{level}/cv{branch}.{level}.2/Conv" for branch in (2, 3) for level in range(3)}
    assert in_int8(False) - in_int8(True) == last
