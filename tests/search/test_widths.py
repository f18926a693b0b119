"""The command that finds the multiple a target likes."""

from __future__ import annotations

import re

import pytest

from objectives.timing import width_steps
from objectives.timing.width_steps import find_multiple
from search import widths
from search.cli.command import Exit, run_command
from search.measuring import best_multiple
from search.measuring.best_multiple import evidence_lines, table_lines, verdict

pytestmark = pytest.mark.slow


def test_it_ends_with_the_line_for_a_study_or_says_that_it_is_undecided(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(width_steps, "COARSE", (64, 72, 80))  # four measurements instead of some fifty
    monkeypatch.setattr(width_steps, "TWICE", (64,))
    monkeypatch.setattr(best_multiple, "SECONDS", 0.0)
    status = run_command(widths.main, ["--imgsz", "96"])
    out = capsys.readouterr().out
    assert out.startswith("target: onnxruntime cpu fp32, 96 px, batch 1, 1 thread, ")
    rows = re.findall(r"^ +(\d+) +\d+\.\d{3} +\d+\.\d{3} +([12])$", out, re.MULTILINE)
    assert rows == [("64", "2"), ("72", "1"), ("80", "1")]
    last = out.splitlines()[-2:]
    if status == Exit.DONE:  # on which multiple, and whether load lets it decide, depends on the machine
        (multiple,) = re.findall(r"^multiple: (\d+); ", last[0])
        assert last[1] == f"-o space.multiple={multiple}"
    else:
        assert status == Exit.ERROR
        assert last[0].startswith("multiple: undecided; ")


def test_the_table_relates_latency_to_the_width() -> None:
    header, first, second = table_lines({64: [0.9, 1.1], 128: [3.0]})
    assert header.split()[:2] == ["width", "latency"]
    assert first.split() == ["64", "1.000", "1.000", "2"]
    assert second.split() == ["128", "3.000", "1.500", "1"]


def test_the_evidence_gives_each_multiple_its_penalty_interval_and_verdict() -> None:
    found = find_multiple({64: [1.0] * 9, 72: [1.5], 80: [1.5], 96: [2.0], 128: [3.5]})
    lines = evidence_lines(found)
    assert re.fullmatch(r" +16 +1 +1\.\d\d \(0\.[89]\d to 1\.[012]\d\): staircase", lines[1])
    assert re.fullmatch(r" +32 +1 +-?0\.\d\d \(-?0\.\d\d to 0\.\d\d\): slope", lines[2])
    assert lines[-1] == "measurements of one width vary by 1.0 % (standard deviation)"
    assert verdict(found)[-1] == "-o space.multiple=16"


def test_an_open_answer_gives_no_line_for_a_study() -> None:
    lines = verdict(find_multiple({64: [1.0, 1.0], 72: [1.0], 80: [1.0]}))
    assert lines[0].startswith("multiple: undecided; whether 16 gains anything is open: ")
    assert "-o" not in " ".join(lines).split()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--runtime", "onnxrumtime"], "did you mean onnxruntime?"),
        (["--provider", "abacus"], "abacus"),
        (["--precision", "fp8"], "precision is 'fp8'; onnxruntime has fp32, fp16"),
        (["--imgsz", "100"], "imgsz is 100; it must be a multiple of 32"),
        (["--threads", "0"], "threads is 0; it must be at least 1"),
    ],
)
def test_a_target_that_is_not_there_is_refused_with_what_is_right(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(widths.main, arguments) == Exit.USAGE
    assert message in capsys.readouterr().err
