"""Slurm keeps the contract of batch systems, and reads what Slurm's programs print."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from search.batch.queued import Submission
from search.batch.script_system import ScriptSystem
from search.batch.slurm import Slurm
from search.study.faults import DefinitionError
from tests.search.batch.batch_system_contract import ScriptSystemContract

SUBMITTED = (Submission(system="slurm", number="41", tasks=3, name="nas_head", folder="/home"),)
QUEUE = (
    ("41_10", "PENDING", "", "0", "Resources"),
    ("41_2", "RUNNING", "node07", "1", "None"),
    ("41_1", "CANCELLED", "node07", "0", "None"),
)
ACCOUNTS = """\
41_1|CANCELLED by 1000|node07|1800|billing=1,cpu=1,gres/gpu=2,mem=4G,node=1|0
41_2|PREEMPTED|node06|3600|cpu=1,gres/gpu=1|0
41_2|RUNNING|node07|900|cpu=1,gres/gpu=1|1
41_3|COMPLETED|node08|360|cpu=1,gres/gpu=1|0
"""


class TestSlurm(ScriptSystemContract):
    @pytest.fixture
    def system(self) -> ScriptSystem:
        return Slurm()


def program(folder: Path, name: str, text: str, *, code: int = 0, on_error: str = "") -> None:
    """Put a program in the place of one of Slurm's: it prints a text."""
    file = folder / name
    file.write_text(
        f"#!{sys.executable}\nimport sys\nsys.stdout.write({text!r})\n"
        f"sys.stderr.write({on_error!r})\nsys.exit({code})\n"
    )
    file.chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    widths = (40, 20, 60, 10, 60)
    lines = ["".join(value.ljust(width) for value, width in zip(job, widths, strict=True)) for job in QUEUE]
    program(tmp_path, "squeue", "\n".join(lines) + "\n")
    program(tmp_path, "sacct", "", code=1, on_error="Slurm accounting storage is disabled")
    return tmp_path


@pytest.mark.usefixtures("programs")
def test_without_accounts_the_queue_tells_what_it_knows() -> None:
    first, second, tenth = Slurm().look(SUBMITTED)
    assert (first.job, first.state, first.has_ended) == ("41_1", "CANCELLED", True)
    assert (second.job, second.node, second.restarts, second.reason) == ("41_2", "node07", 1, "")
    assert (tenth.job, tenth.reason, tenth.has_ended, tenth.gpu_hours) == ("41_10", "Resources", False, None)


def test_with_accounts_all_starts_of_a_job_count_and_old_jobs_are_known(programs: Path) -> None:
    program(programs, "sacct", ACCOUNTS)
    jobs = {job.job: job for job in Slurm().look(SUBMITTED)}
    assert {name: job.gpu_hours for name, job in jobs.items()} == {
        "41_1": 1.0,
        "41_2": 1.25,
        "41_3": 0.1,
        "41_10": None,
    }
    assert jobs["41_2"].state == "RUNNING" and jobs["41_3"].state == "COMPLETED" and jobs["41_3"].has_ended


def test_a_queue_that_forgot_all_jobs_is_no_error(programs: Path) -> None:
    forgotten = "slurm_load_jobs error: Invalid job id specified"
    program(programs, "squeue", "", code=1, on_error=forgotten)
    assert Slurm().look(SUBMITTED) == ()
    program(programs, "squeue", "", code=1, on_error="Unable to contact slurm controller")
    with pytest.raises(DefinitionError, match="Slurm refuses to list the jobs: Unable to contact"):
        Slurm().look(SUBMITTED)


def test_a_process_knows_its_own_job() -> None:
    single = Slurm().own_job({"SLURM_JOB_ID": "41", "SLURMD_NODENAME": "node07"})
    assert single is not None and (single.job, single.node, single.restarts) == ("41", "node07", 0)
    task = Slurm().own_job(
        {"SLURM_JOB_ID": "43", "SLURM_ARRAY_JOB_ID": "41", "SLURM_ARRAY_TASK_ID": "2", "SLURM_RESTART_COUNT": "3"}
    )
    assert task is not None and (task.job, task.restarts) == ("41_2", 3)
