"""Targets: what can be measured here, and what would have to be installed."""

from __future__ import annotations

import pytest

from objectives.runtimes.catalogue import RUNTIMES, runtime_options
from objectives.runtimes.names import name_of
from search.cli.checkup import Verdict, check_runtimes
from search.cli.command import Exit, run_command
from search.targets import main


def test_every_runtime_provider_and_precision_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(main, []) == Exit.DONE
    lines = capsys.readouterr().out.splitlines()
    for name, runtime in RUNTIMES.items():
        for provider in runtime.providers:
            for precision in runtime.precisions:
                title = f"{name}: {name_of(name, provider, precision)}: "
                (line,) = (line for line in lines if line[3:].startswith(title))
                assert line.startswith("--") is (runtime.unavailable(provider, precision) is not None)
    assert any(line.startswith("ok onnxruntime: ort-cpu: onnxruntime 1") and " cores, " in line for line in lines)


def test_without_any_engine_each_line_says_what_installs_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert run_command(main, []) == Exit.ERROR
    *lines, last = capsys.readouterr().out.splitlines()
    assert all("pip install" in line for line in lines)
    assert last.startswith("0 of ")


def test_the_doctor_says_the_same() -> None:
    working = {
        (option.runtime.name, option.provider)
        for option in runtime_options()
        if option.missing is None and option.precision == "fp32"
    }
    said = {tuple(finding.name.split(", ")) for finding in check_runtimes() if finding.verdict is Verdict.GOOD}
    assert said == working
