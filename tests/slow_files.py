"""Test files that take seconds a test, or whose fixtures do: real trainings, timings and runs of commands."""

from __future__ import annotations

SLOW_FILES = (
    "search/test_run.py",
    "search/test_three_objectives.py",
    "search/test_by_hand.py",
    "search/work/test_image_size.py",
    "search/prepare/test_layout.py",
    "search/prepare/test_threshold_cut.py",
    "benchmarks/test_latency_benchmark.py",
    "search/test_widths.py",
    "search/trial/test_latency_in_trials.py",
    "objectives/timing/test_meter.py",
    "search/measuring/test_pack.py",
    "objectives/timing/test_plain_block.py",
    "search/work/test_kills.py",
    "search/test_export.py",
    "search/test_bench.py",
    "search/trial/test_evaluate.py",
)
