"""A job compares the versions on its node with those of the submitter before it does anything."""

from __future__ import annotations

import importlib.metadata
import platform
import shlex
from pathlib import Path

import pytest

from search import run, submit
from search.batch.versions import VERSIONS, check_versions, installed_versions
from search.cli.command import Exit, run_command


def exported(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run_command(submit.main, ["--study", "nas_head", "--print", *arguments]) == Exit.DONE
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith(f"export {VERSIONS}=")]
    return shlex.split(lines[0], comments=True)[1].partition("=")[2] if lines else ""


@pytest.fixture(autouse=True)
def _no_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def test_the_script_names_the_versions_of_its_submitter(capsys: pytest.CaptureFixture[str]) -> None:
    wanted = exported(capsys)
    assert wanted == installed_versions() and f"torch {importlib.metadata.version('torch')}" in wanted
    check_versions(wanted)


@pytest.mark.parametrize(
    "arguments", [("--no-check",), ("--python", "/opt/other/bin/python"), ("--container", "image.sif")]
)
def test_another_environment_is_not_compared(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    assert exported(capsys, *arguments) == ""


def test_a_node_with_other_versions_ends_the_job_in_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = importlib.metadata.version("torch")
    monkeypatch.setenv(VERSIONS, installed_versions().replace(f"torch {torch}", "torch 1.0.0"))
    assert run_command(run.main, ["--study", "nas_head", "--print-config"]) == Exit.USAGE
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        f"error: {platform.node()} has other versions than the machine that submitted the job: torch {torch} instead "
        "of 1.0.0; install the same ones there, or submit with --no-check"
    )
