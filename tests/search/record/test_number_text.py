"""Durations as text."""

from __future__ import annotations

import pytest

from search.record.number_text import duration, figure_text


@pytest.mark.parametrize(
    ("seconds", "text"), [(4.2, "4.2 s"), (42, "42 s"), (200, "3 min 20 s"), (18720, "5 h 12 min")]
)
def test_durations_are_shown(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("map50_95", 0.51234, "mAP50-95 0.512"),
        ("latency_ms", 8.7, "latency 8.70 ms"),
        ("share_pruned", 0.414, "pruned 41 %"),
        ("parameters", 35646.0, "parameters 35646"),
        ("flops_g", 1.25, "1.25 GFLOPs"),
        ("size_mib", 3.2, "size 3.20 MiB"),
    ],
)
def test_a_figure_has_its_name_and_unit(name: str, value: float, text: str) -> None:
    assert figure_text(name, value) == text
