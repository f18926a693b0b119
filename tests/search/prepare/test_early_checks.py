"""Checks before anything is loaded: each mistake on the command line is answered in one line, with exit code 2."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.cli.command import Exit, run_command
from search.run import main

ABSENT = "it does not exist, and nothing is downloaded; give the path of a .pt or .safetensors file"


@pytest.mark.parametrize("asked", ["--print-config", "--dry-run"])
@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("--device 97", "--device is '97'; this machine has cpu"),
        ("--device gpu", "--device is 'gpu'; this machine has cpu"),
        ("--data absent.yaml", "absent.yaml"),
        ("--model yolov8n", "--model is 'yolov8n'; write yolov8n.yaml to begin with random weights, or give the path"),
        ("--model mine", "--model is 'mine'; did you mean mine.pt?"),
        ("--model other", "--model is 'other'; give a .yaml, .pt or .safetensors file, or a checkpoint folder"),
        ("--model yolov8n.pt", f"is 'yolov8n.pt': {ABSENT}, or --model yolov8n.yaml to begin with random weights"),
        ("--model best.pt", f"is 'best.pt': {ABSENT}"),
        ("--model yolov99n.yaml", "no model 'yolov99n.yaml': there is no such file, and Ultralytics has none"),
        ("-o target.runtime=onnxrutime", "there is no runtime 'onnxrutime'; did you mean onnxruntime?"),
        ("-o objectives=[map50_95,latency]", "objectives.latency is unknown; did you mean latency_ms?"),
        ("--storage mysql://me@host/studies", "database url 'mysql://me@host/studies' is not understood"),
        ("-o limits.latency_ms=5s", "limits.latency_ms is '5s'; it must be"),
    ],
)
def test_a_mistake_is_one_line_before_anything_is_loaded(
    asked: str,
    words: str,
    line: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "mine.pt").touch()
    monkeypatch.chdir(tmp_path)
    assert run_command(main, ["--study", "nas_head", asked, *words.split()]) == Exit.USAGE
    written = capsys.readouterr()
    assert written.out == ""
    (error,) = written.err.splitlines()
    assert line in error
