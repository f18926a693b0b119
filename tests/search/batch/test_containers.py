"""The run in a container, on Slurm: what is called, what is seen inside, and how signals and exit codes pass."""

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

CONTAINER = """
import os, sys
words = sys.argv[1:]
assert "python" in words, words
os.execvp(os.environ["INNER"], [os.environ["INNER"], *words])
"""
INNER = """
import os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
signal.signal(signal.SIGUSR2, lambda *_: sys.exit(75))
print(os.environ["YOLOFRONT_LOCKS"], *sys.argv[1:], flush=True)
signal.pause()
"""


def printed(capsys: pytest.CaptureFixture[str], *arguments: str, code: Exit = Exit.DONE) -> str:
    assert run_command(submit.main, ["--study", "nas_head", "--print", *arguments]) == code
    output = capsys.readouterr()
    return output.out if code == Exit.DONE else output.err


def run_line(script: str) -> list[str]:
    return shlex.split(next(line for line in script.splitlines() if " -m yolofront run " in line).removesuffix(" &"))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_apptainer_sees_the_present_folder_the_runs_and_what_is_asked_for(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    asked = ["--container", "my image.sif", "--container-bind", "/scratch,/data", "--project", "/shared/runs"]
    words = run_line(printed(capsys, *asked, "--gpus", "1"))
    assert words[: words.index("python")] == [
        *("apptainer", "exec", "--nv", "--pwd", str(folder), "--bind", str(folder), "--bind", "/shared/runs"),
        *("--bind", "/scratch", "--bind", "/data", "--bind", "$locks", "my image.sif"),
    ]
    assert "--nv" not in printed(capsys, *asked), "no GPU was asked for"


def test_pyxis_is_a_step_with_the_cores_of_the_job(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    asked = ["--container", "nvcr.io#lab/yolofront:1", "--container-by", "pyxis", "--workers", "3"]
    words = run_line(printed(capsys, *asked))
    assert words[: words.index("python")] == [
        *("srun", "--ntasks=1", "--cpus-per-task=3", "--container-image=nvcr.io#lab/yolofront:1"),
        f"--container-mounts={folder}:{folder},{folder}/runs:{folder}/runs,$locks:$locks",
        f"--container-workdir={folder}",
    ]


@pytest.mark.parametrize("by", ["apptainer", "pyxis"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGUSR2, 75)])
def test_signals_and_exit_codes_pass_the_container(
    capsys: pytest.CaptureFixture[str], folder: Path, by: str, number: int, code: int
) -> None:
    for name, text in (("apptainer", CONTAINER), ("srun", CONTAINER), ("inner", INNER), ("scontrol", "")):
        (folder / name).write_text(f"#!{sys.executable}\n{text}")
        (folder / name).chmod(0o755)
    script = printed(capsys, "--container", "x.sif", "--container-by", by)
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "INNER": str(folder / "inner")}
    environment |= {"SLURM_JOB_ID": "17", "YOLOFRONT_LOCKS": str(folder / "locks")}
    with subprocess.Popen(["bash", "-c", script], env=environment, stdout=subprocess.PIPE, text=True) as shell:
        assert shell.stdout is not None
        locks, *words = shell.stdout.readline().split()
        assert locks == str(folder / "locks") and Path(locks).is_dir()
        assert any(locks in word for word in words), "and it is seen inside"
        shell.send_signal(number)
        assert shell.wait(timeout=60) == code


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--container", "--evil"), "--container is '--evil'"),
        (("--container", "x.sif", "--container-bind", "data"), "--container-bind is 'data'; it must be absolute paths"),
        (("--container", "x.sif", "--project", "/a:b"), "/a:b has a comma or colon"),
        (("--system", "local", "--container", "x.sif"), "--container is not for the local system"),
    ],
)
def test_what_no_command_can_say_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    own = [f"{name}={value}" for name, value in zip(arguments[::2], arguments[1::2], strict=True)]
    assert message in printed(capsys, *own, code=Exit.USAGE)
