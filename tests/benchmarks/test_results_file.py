"""Results of a benchmark survive a kill, and finished work is never done again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.setup.one_thread import use_one_thread
from benchmarks.setup.results import ResultsFile, join_key, split_key


def _square(number: int) -> dict[str, Any]:
    return {"square": number**2}


def _fail() -> dict[str, Any]:
    raise KeyError("broken work")


def test_a_result_is_made_once_and_found_again(tmp_path: Path) -> None:
    results = ResultsFile(tmp_path / "new" / "results.jsonl")
    assert results.read() == {}
    assert results.get_or_run("three", lambda: _square(3)) == {"square": 9}
    with pytest.raises(KeyError):
        results.get_or_run("four", _fail)
    assert results.get_or_run("three", dict) == {"square": 9}
    assert results.read() == {"three": {"square": 9}}


def test_a_line_that_a_kill_cut_short_is_left_out_and_its_work_is_done_again(tmp_path: Path) -> None:
    results = ResultsFile(tmp_path / "results.jsonl")
    results.get_or_run("three", lambda: _square(3))
    with results.file.open("a") as file:
        file.write('{"key": "four", "squ')
    assert results.read() == {"three": {"square": 9}}
    results.get_or_run("four", lambda: _square(4))
    assert results.read() == {"three": {"square": 9}, "four": {"square": 16}}


def test_only_missing_calls_are_run(tmp_path: Path) -> None:
    results = ResultsFile(tmp_path / "results.jsonl")
    results.get_or_run(join_key("a", 3), lambda: {"square": -1})
    calls = {join_key("a", number): (number,) for number in (3, 4)}
    results.run_missing(_square, calls, processes=1, initializer=use_one_thread)
    assert results.read() == {"a | 3": {"square": -1}, "a | 4": {"square": 16}}
    assert split_key("digits, onnxruntime | ours | 0") == ("digits, onnxruntime", "ours", "0")
