"""The batch script: printed, quoted, without secrets, and what it does with a run's ending, in a real shell."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from search import submit
from search.cli.command import Exit, run_command

POSTGRES = "postgresql+psycopg://worker:s3cret@db.example/yolofront"


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    code = run_command(submit.main, ["--study", "nas_head", "--print", *arguments])
    assert code == Exit.DONE, capsys.readouterr().err
    return capsys.readouterr().out


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run_command(submit.main, ["--study", "nas_head", *arguments]) == Exit.USAGE
    return capsys.readouterr().err


def run_line(script: str) -> list[str]:
    line = next(line for line in script.splitlines() if " -m yolofront run " in line)
    return shlex.split(line.removesuffix(" &"))


def test_the_script_asks_slurm_for_what_was_asked_and_for_a_signal_in_time(capsys: pytest.CaptureFixture[str]) -> None:
    script = printed(capsys, "--time", "1-12", "--partition", "gpu", "--gpus", "a100:1", "--workers", "3")
    headers = [line for line in script.splitlines() if line.startswith("#SBATCH")]
    for wanted in ("--time=1-12", "--partition=gpu", "--gpus=a100:1", "--cpus-per-task=3", "--mem=12G", "--requeue"):
        assert f"#SBATCH {wanted}" in headers
    assert "#SBATCH --signal=B:USR2@120" in headers
    assert not any("--array" in line for line in headers), "one job is no array"
    assert run_line(script)[-2:] == ["--device", "0"]


@pytest.mark.parametrize("part", ["shard:2", "mps:50", "gpu:1g.10gb:1"])
def test_a_part_of_a_gpu_is_trained_on(capsys: pytest.CaptureFixture[str], part: str) -> None:
    script = printed(capsys, "--gres", part)
    assert f"#SBATCH --gres={part}\n" in script and run_line(script)[-2:] == ["--device", "0"]


def test_what_comes_after_the_dashes_reaches_the_run_unchanged(capsys: pytest.CaptureFixture[str]) -> None:
    awkward = ["--data", "my data/$HOME.yaml", "-o", "recipe.lr0={low: 1e-4, high: 1e-2}", "--name", "it's"]
    assert run_line(printed(capsys, "--", *awkward))[-len(awkward) :] == awkward


def test_a_password_is_not_written_into_the_script(capsys: pytest.CaptureFixture[str]) -> None:
    script = printed(capsys, "--storage", POSTGRES, "--array", "4")
    assert "s3cret" not in script
    assert "SEARCH_STORAGE:?" in script
    assert "#SBATCH --array=1-4" in script


@pytest.mark.parametrize("url", ["postgresql://lena@labserver:s3cret@db/x", "postgresql://db/x?password=s3cret"])
def test_no_form_of_a_password_is_written_into_the_script(capsys: pytest.CaptureFixture[str], url: str) -> None:
    assert "s3cret" not in printed(capsys, "--storage", url)
    for passed_on in (["--storage", url], [f"--storage={url}"], [f"--stor={url}"]):
        error = refusal(capsys, "--print", "--", *passed_on)
        assert "give --storage before the --" in error and "s3cret" not in error


def test_control_characters_of_a_path_are_visible_in_the_script_and_reach_the_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    script = printed(capsys, "--", "--data", "a\x1b]0;PWN\x07/data.yaml")
    assert "\x1b" not in script and r"$'a\x1b]0;PWN\x07/data.yaml'" in script


def test_a_url_without_a_password_is_passed_on(capsys: pytest.CaptureFixture[str]) -> None:
    command = run_line(printed(capsys, "--storage", "postgresql+psycopg://db.example/yolofront"))
    assert command[command.index("--storage") + 1] == "postgresql+psycopg://db.example/yolofront"


def test_several_jobs_on_sqlite_are_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SEARCH_STORAGE", raising=False)
    assert "need a database server" in refusal(capsys, "--print", "--array", "2")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--time", "8h\n#SBATCH --uid=0"),
        ("--partition", "a b"),
        ("--gpus", "$(id)"),
        ("--gres", "shard:1 --uid=0"),
        ("--workers", "0"),
        ("--max-requeues", "-1"),
    ],
)
def test_a_header_takes_no_foreign_text(capsys: pytest.CaptureFixture[str], arguments: tuple[str, str]) -> None:
    assert arguments[0] in refusal(capsys, "--print", *arguments)


def test_an_unknown_study_is_refused_with_the_nearest_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(submit.main, ["--study", "nas_hed", "--print"]) == Exit.USAGE
    assert "did you mean nas_head?" in capsys.readouterr().err


class Job:
    """The printed script in a real bash, with a program of our own in the place of the interpreter."""

    def __init__(self, folder: Path, script: str, program: str) -> None:
        self.folder = folder
        self.requeued = folder / "requeued"
        (folder / "scontrol").write_text(f'#!/bin/sh\necho "$@" > {shlex.quote(str(self.requeued))}\n')
        (folder / "python").write_text(f"#!{sys.executable}\n{program}")
        for name in ("scontrol", "python"):
            (folder / name).chmod(0o755)
        self.script = script
        self.environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "SLURM_JOB_ID": "17"}

    def start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ["bash", "-c", self.script], env=self.environment, cwd=self.folder, stdout=subprocess.PIPE
        )


LISTENS = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
signal.signal(signal.SIGUSR2, lambda *_: sys.exit(75))
print("ready", flush=True)
while True: signal.pause()
"""
DEAF = "import signal\nprint('ready', flush=True)\nsignal.pause()\n"
"""A run that is so young that it does not listen to signals yet."""


@pytest.mark.parametrize(
    ("program", "number", "restarts", "code", "comes_back"),
    [
        (LISTENS, signal.SIGUSR2, 0, 75, True),
        (LISTENS, signal.SIGUSR2, 2, 75, True),
        (LISTENS, signal.SIGUSR2, 3, 75, False),
        (LISTENS, signal.SIGTERM, 0, 143, False),
        (DEAF, signal.SIGUSR2, 0, 75, True),
        (DEAF, signal.SIGTERM, 0, 143, False),
    ],
    ids=["near the limit", "again", "too often", "cancelled", "young and near the limit", "young and cancelled"],
)
def test_a_job_comes_back_if_its_time_is_up_and_not_if_it_is_cancelled(
    *,
    program: str,
    number: int,
    restarts: int,
    code: int,
    comes_back: bool,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    script = printed(capsys, "--python", str(tmp_path / "python"), "--max-requeues", "3")
    job = Job(tmp_path, script, program)
    job.environment["SLURM_RESTART_COUNT"] = str(restarts)
    with job.start() as shell:
        assert shell.stdout is not None
        assert shell.stdout.readline() == b"ready\n"
        shell.send_signal(number)
        assert shell.wait(timeout=60) == code
    assert job.requeued.exists() == comes_back
    assert not comes_back or job.requeued.read_text() == "requeue 17\n"


def test_a_task_of_an_array_queues_up_alone(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    job = Job(tmp_path, printed(capsys, "--python", str(tmp_path / "python")), "raise SystemExit(75)\n")
    job.environment.update(SLURM_ARRAY_JOB_ID="15", SLURM_ARRAY_TASK_ID="2")
    with job.start() as shell:
        assert shell.wait(timeout=60) == 75
    assert job.requeued.read_text() == "requeue 15_2\n"


@pytest.mark.parametrize("code", [0, 1, 2, 3, 130, 143])
def test_a_run_that_ended_by_itself_is_not_queued_again(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, code: int
) -> None:
    job = Job(tmp_path, printed(capsys, "--python", str(tmp_path / "python")), f"raise SystemExit({code})\n")
    with job.start() as shell:
        assert shell.wait(timeout=60) == code
    assert not job.requeued.exists()
