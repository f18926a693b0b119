"""`search.jobs`: the jobs of a study that was submitted, cancelled or run by hand."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from search import jobs
from search.batch.job_files import JobFiles
from search.batch.queued import Submission
from search.cli.command import Exit, run_command
from search.store.runs.register import RunEntry
from search.store.sql import open_store

PROGRAM = """
import pathlib, sys
here = pathlib.Path(__file__)
with here.with_name("calls").open("a") as file:
    print(here.name, *sys.argv[1:], file=file)
if here.name == "squeue":
    for job, state in (("41_1", "RUNNING"), ("41_2", "PENDING"), ("41_3", "FAILED")):
        print(job.ljust(40) + state.ljust(20) + " " * 60 + "0".ljust(10) + "None".ljust(60))
sys.exit(here.name == "sacct")
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run folder from which three jobs were submitted, and programs in the place of Slurm's."""
    for name in ("squeue", "sacct", "scancel"):
        program = tmp_path / name
        program.write_text(f"#!{sys.executable}\n{PROGRAM}")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv("SEARCH_STORAGE", raising=False)
    files = JobFiles(tmp_path / "runs" / "nas_head" / "jobs")
    files.folder.mkdir(parents=True)
    files.note_submission(Submission(system="slurm", number="41", tasks=3, name="nas_head", folder=str(tmp_path)))
    return tmp_path


def shown(place: Path, capsys: pytest.CaptureFixture[str], *arguments: str, code: Exit = Exit.DONE) -> str:
    words = ["--study", "nas_head", "--project", str(place / "runs"), *arguments]
    assert run_command(jobs.main, words) == code
    output = capsys.readouterr()
    return output.out if code == Exit.DONE else output.err


def test_jobs_are_shown_with_what_their_runs_say(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = open_store(f"sqlite:///{place}/runs/yolofront.db")
    store.add_study("nas_head", {}, ())
    doing = ("trial 3: training, epoch 2 of 10",)
    store.note_run(
        RunEntry(study="nas_head", generation=1, host="h", pid=1, started=1.0, system="slurm", job="41_1", doing=doing)
    )
    store.close()
    _, first, second, third, hours = shown(place, capsys).splitlines()
    assert "running" in first and doing[0] in first
    assert second.startswith("41_2  pending") and third.startswith("41_3  failed")
    assert hours == "GPU-hours used: 0.0"


def test_all_jobs_that_have_not_ended_are_cancelled_or_one_of_them(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "cancelled 41_1, 41_2" in shown(place, capsys, "--cancel")
    assert "cancelled 41_2" in shown(place, capsys, "--cancel", "41_2")
    calls = (place / "calls").read_text().splitlines()
    assert [call for call in calls if call.startswith("scancel")] == ["scancel 41_1 41_2", "scancel 41_2"]
    assert "'42' is no job of this study; there are 41_1" in shown(place, capsys, "--cancel", "42", code=Exit.USAGE)


def test_logs_are_found_where_the_jobs_were_submitted(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "nas_head-41_1.out").write_text("".join(f"line {number}\n" for number in range(30)))
    said = shown(place, capsys, "--logs")
    assert "line 29" in said and "line 19" not in said and "(nothing is written yet)" in said
    assert "line 0\n" in shown(place, capsys, "--logs", "41_1")


def test_a_study_without_jobs_and_runs_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = shown(tmp_path, capsys, code=Exit.USAGE)
    assert "no job of 'nas_head' was submitted" in said and len(said.splitlines()) == 1
