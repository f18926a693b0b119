"""Recognition of processors that need weights of 7 bits."""

from __future__ import annotations

from pathlib import Path

import pytest

from objectives.runtimes.quantization import overflows


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
