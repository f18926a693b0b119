"""Jobs of `search.submit` on a real Slurm: which endings come back. A small program stands for the run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.cluster.one_node import PATHS, Slurm
from search import jobs, submit
from search.cli.checkup import Check
from search.cli.command import Exit, run_command

pytestmark = pytest.mark.slow

PROGRAM = """
import os, pathlib, signal, sys, time

def end_with(code):
    return lambda *_: sys.exit(code)

signal.signal(signal.SIGTERM, end_with(143))
signal.signal(signal.SIGUSR2, end_with(75))
if "--wrong" in sys.argv:
    sys.exit(2)
pathlib.Path(sys.argv[0]).with_name("storage").write_text(os.environ.get("SEARCH_STORAGE", ""))
print("this is the run", flush=True)
pathlib.Path(sys.argv[0]).with_name("begun").touch()
time.sleep(600)
"""
POSTGRES = "postgresql+psycopg://worker:s3cret@db.example/yolofront"


class Site:
    """A user of the cluster, in a folder of its own."""

    def __init__(self, slurm: Slurm, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.slurm, self.folder, self._capsys = slurm, folder, capsys
        program = folder / "python"
        program.write_text(f"#!{sys.executable}\n{PROGRAM}")
        program.chmod(0o755)

    def submit(self, *arguments: str) -> str:
        """Return the number of the job."""
        options = [
            "--study",
            "nas_head",
            "--project",
            str(self.folder / "runs"),
            "--python",
            str(self.folder / "python"),
        ]
        code = run_command(submit.main, [*options, "--no-check", "--mem", "100M", *arguments])
        output = self._capsys.readouterr()
        assert code == Exit.DONE, output.err
        return output.out.partition(":")[0].split()[-1]

    def submit_and_wait_until_it_runs(self, *arguments: str) -> str:
        job = self.submit(*arguments)
        self.slurm.wait_for(job, "RUNNING")
        while not (self.folder / "begun").exists():
            assert self.slurm.shown(job)["JobState"] == "RUNNING"
        return job


@pytest.fixture
def site(
    slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Site]:
    monkeypatch.setenv("PATH", PATHS)
    monkeypatch.setenv("SLURM_CONF", slurm.environment["SLURM_CONF"])
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("SEARCH_STORAGE", raising=False)
    monkeypatch.setattr(submit, "check_database", lambda _: Check("database", "can be reached"))
    monkeypatch.chdir(tmp_path)
    yield Site(slurm, tmp_path, capsys)
    slurm.call("scancel", "--user", str(os.getuid()))


def test_jobs_are_shown_with_their_logs_and_are_cancelled(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    job = site.submit_and_wait_until_it_runs()
    later = site.submit("--dependency", f"afterok:{job}")

    def jobs_of(*arguments: str) -> list[str]:
        place = ["--study", "nas_head", "--project", str(site.folder / "runs")]
        assert run_command(jobs.main, [*place, *arguments]) == Exit.DONE
        return capsys.readouterr().out.splitlines()

    _, running, waiting, _ = jobs_of()
    assert running.split()[:3] == [job, "running", site.slurm.shown(job)["NodeList"]]
    assert waiting.split()[:2] == [later, "pending"] and waiting.endswith("Dependency")
    assert jobs_of("--logs", job) == [f"== {job}: {site.folder}/nas_head-{job}.out", "this is the run"]
    assert jobs_of("--cancel")[0].startswith(f"cancelled {job}, {later}")
    for each in (job, later):
        site.slurm.wait_for(each, "CANCELLED")


def test_a_cancelled_job_stays_cancelled(site: Site) -> None:
    job = site.submit_and_wait_until_it_runs()
    site.slurm.call("scancel", job)
    fields = site.slurm.wait_for(job, "CANCELLED", "PENDING")
    assert (fields["JobState"], fields["Restarts"]) == ("CANCELLED", "0")


def test_a_job_whose_time_is_nearly_up_comes_back_so_often(site: Site) -> None:
    job = site.submit_and_wait_until_it_runs("--max-requeues", "1")
    (site.folder / "begun").unlink()
    site.slurm.call("scancel", "--batch", "--signal=USR2", job)
    fields = site.slurm.wait_for(job, "PENDING", "FAILED", "COMPLETED")
    assert (fields["JobState"], fields["Restarts"]) == ("PENDING", "1")
    # Slurm waits two minutes by itself. It refuses a start within the second of the requeue: "job credential revoked".
    site.slurm.call("scontrol", "update", f"JobId={job}", "StartTime=now+2")
    site.slurm.wait_for(job, "RUNNING")
    while not (site.folder / "begun").exists():
        assert site.slurm.shown(job)["JobState"] == "RUNNING"
    site.slurm.call("scancel", "--batch", "--signal=USR2", job)
    fields = site.slurm.wait_for(job, "PENDING", "FAILED", "COMPLETED")
    assert (fields["JobState"], fields["ExitCode"]) == ("FAILED", f"{Exit.COME_BACK}:0")


def test_a_preempted_job_is_queued_again_by_slurm(site: Site) -> None:
    job = site.submit_and_wait_until_it_runs("--partition", "low")
    urgent = site.slurm.call("sbatch", "--parsable", "--partition=high", "--exclusive", "--wrap", "sleep 1").strip()
    fields = site.slurm.wait_for(job, "PENDING", "FAILED", "CANCELLED")
    assert (fields["JobState"], fields["Restarts"]) == ("PENDING", "1")
    site.slurm.wait_for(urgent, "COMPLETED")


def test_a_step_of_slurm_passes_on_signal_and_exit_code(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with pyxis, which is not here: its options are taken away, and Slurm's own `srun` starts the run."""
    srun = shutil.which("srun", path=PATHS)
    (site.folder / "srun").write_text(
        f'#!/bin/bash\nfor word; do case $word in --container-*) ;; *) kept+=("$word");; esac; done\n'
        f'exec {srun} --overlap "${{kept[@]}}"\n'
    )
    (site.folder / "srun").chmod(0o755)
    monkeypatch.setenv("PATH", f"{site.folder}:{PATHS}")
    image = ["--container", "x.sif", "--container-by", "pyxis"]
    job = site.submit_and_wait_until_it_runs(*image, "--max-requeues", "0")
    site.slurm.call("scancel", "--batch", "--signal=USR2", job)
    fields = site.slurm.wait_for(job, "PENDING", "FAILED", "COMPLETED")
    assert (fields["JobState"], fields["ExitCode"]) == ("FAILED", f"{Exit.COME_BACK}:0")


def test_wrong_arguments_end_a_job_for_good(site: Site) -> None:
    job = site.submit("--", "--wrong")
    fields = site.slurm.wait_for(job, "FAILED", "PENDING COMPLETED")
    assert (fields["ExitCode"], fields["Restarts"]) == (f"{Exit.USAGE}:0", "0")


def test_all_tasks_read_the_password_that_slurm_never_saw(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEARCH_STORAGE", POSTGRES)
    job = site.submit_and_wait_until_it_runs("--array", "2")
    tasks = site.slurm.call("squeue", "-h", "-r", "-j", job, "-o", "%i").split()
    assert sorted(tasks) == [f"{job}_1", f"{job}_2"]
    assert (site.folder / "storage").read_text() == POSTGRES
    for seen in (
        site.slurm.call("scontrol", "show", "job", job),
        site.slurm.call("scontrol", "write", "batch_script", job, "-"),
        subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout,
    ):
        assert "s3cret" not in seen
    assert site.submit("--add", "1").isdecimal()
