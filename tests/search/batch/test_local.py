"""Jobs on this machine: real processes in the background, submitted, looked at and cancelled by the commands."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from search import jobs, submit
from search.batch import local
from search.batch.local import LOCAL_END, LOCAL_JOB, Local
from search.batch.queued import OwnJob, QueuedJob, Submission
from search.batch.script_system import ScriptSystem
from search.cli.command import Exit, run_command
from tests.search.batch.batch_system_contract import ScriptSystemContract

WITHIN_S = 60.0
RUN = """#!/bin/bash
trap 'exit 143' TERM
echo "$YOLOFRONT_LOCAL_JOB with GPU ${CUDA_VISIBLE_DEVICES:-none}, restarts ${YOLOFRONT_LOCAL_RESTARTS:-0}"
for word in "$@"; do
    case $word in
    --end=*) exit "${word#--end=}";;
    --again) [ -n "$YOLOFRONT_LOCAL_RESTARTS" ] && exit 0; exit 75;;
    esac
done
touch "begun-$YOLOFRONT_LOCAL_JOB"
while :; do sleep 0.1; done
"""


class TestLocal(ScriptSystemContract):
    @pytest.fixture
    def system(self) -> ScriptSystem:
        return Local()


class Machine:
    """A user of this machine, with a program in the place of the interpreter."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys
        (folder / "python").write_text(RUN)
        (folder / "python").chmod(0o755)

    def call(self, main: Callable[[list[str]], int], *arguments: str, code: int = Exit.DONE) -> list[str]:
        assert run_command(main, ["--study", "nas_head", *arguments]) == code
        output = self._capsys.readouterr()
        return (output.out if code == Exit.DONE else output.err).splitlines()

    def submit(self, *arguments: str, code: int = Exit.DONE) -> str:
        own = ["--system", "local", "--no-check", "--python", str(self.folder / "python")]
        (line,) = self.call(submit.main, *own, *arguments, code=code)
        return line

    def states(self) -> list[str]:
        return [" ".join(line.split()[:2]) for line in self.call(jobs.main)[1:-1]]

    def wait_for(self, *states: str) -> None:
        deadline = time.monotonic() + WITHIN_S
        while (seen := self.states()) != list(states):
            assert time.monotonic() < deadline, seen
            time.sleep(0.05)

    def wait_for_file(self, name: str) -> None:
        deadline = time.monotonic() + WITHIN_S
        while not (self.folder / name).exists():
            assert time.monotonic() < deadline, name
            time.sleep(0.02)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Machine:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("SEARCH_STORAGE", raising=False)
    monkeypatch.chdir(tmp_path)
    return Machine(tmp_path, capsys)


def test_jobs_run_in_the_background_until_they_are_cancelled(machine: Machine) -> None:
    assert machine.submit("--array", "2").startswith("submitted 2 jobs local1: ")
    for task in ("local1_1", "local1_2"):
        machine.wait_for_file(f"begun-{task}")
    machine.wait_for("local1_1 running", "local1_2 running")
    assert machine.call(jobs.main, "--logs", "local1_2")[1:] == ["local1_2 with GPU none, restarts 0"]
    assert machine.call(jobs.main, "--cancel", "local1_2")[0].startswith("cancelled local1_2:")
    machine.wait_for("local1_1 running", "local1_2 cancelled")
    assert machine.submit("--add", "1").startswith("added 1 job, local2: ")
    machine.wait_for_file("begun-local2_1")
    machine.call(jobs.main, "--cancel")
    machine.wait_for("local1_1 cancelled", "local1_2 cancelled", "local2_1 cancelled")


@pytest.mark.parametrize(
    ("end", "line"), [("0", "local1_1 completed"), ("2", "local1_1 failed"), ("143", "local1_1 cancelled")]
)
def test_a_job_ends_as_its_run_does(machine: Machine, end: str, line: str) -> None:
    machine.submit("--", f"--end={end}")
    machine.wait_for(line)


def test_a_job_that_hands_its_trials_back_begins_again(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "PAUSE_S", 0)
    machine.submit("--", "--again")
    machine.wait_for("local1_1 completed")
    said = [f"local1_1 with GPU none, restarts {number}" for number in (0, 1)]
    assert machine.call(jobs.main, "--logs", "local1_1")[1:] == said


def test_a_job_that_waits_to_begin_again_can_be_cancelled(machine: Machine) -> None:
    machine.submit("--", "--end=75")
    machine.wait_for("local1_1 running")
    time.sleep(0.3)  # it waits for a minute by now; before, it would be cancelled in the same way
    machine.call(jobs.main, "--cancel")
    machine.wait_for("local1_1 cancelled")


def test_a_killed_job_is_no_running_one(machine: Machine) -> None:
    machine.submit()
    machine.wait_for_file("begun-local1_1")
    noted = (machine.folder / "state/yolofront/jobs/local1/1.pid").read_text().split()
    os.killpg(os.getpgid(int(noted[1])), signal.SIGKILL)
    machine.wait_for("local1_1 killed")


def test_each_job_gets_its_own_gpus(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6,7")
    assert "need 6; this machine has 4; several workers can share one" in machine.submit(
        "--array", "3", "--gpus", "2", code=Exit.USAGE
    )
    machine.submit("--array", "2", "--gpus", "2", "--", "--end=0")
    machine.wait_for("local1_1 completed", "local1_2 completed")
    assert [machine.call(jobs.main, "--logs", f"local1_{task}")[1] for task in (1, 2)] == [
        "local1_1 with GPU 4,5, restarts 0",
        "local1_2 with GPU 6,7, restarts 0",
    ]


def test_what_a_queue_knows_is_refused_and_defaults_for_one_are_passed_over(machine: Machine) -> None:
    assert "--partition is not for the local system" in machine.submit("--partition", "gpu", code=Exit.USAGE)
    assert "give --timeout after the --" in machine.submit("--time", "1:00:00", code=Exit.USAGE)
    (machine.folder / "config/yolofront").mkdir(parents=True)
    (machine.folder / "config/yolofront/cluster.yaml").write_text("partition: gpu\ntime: 1:00:00\n")
    machine.submit("--", "--end=0")
    machine.wait_for("local1_1 completed")


def test_a_process_knows_its_job_and_one_of_another_machine_is_not_touched(machine: Machine) -> None:
    found = Local().own_job({LOCAL_JOB: "local3_2", LOCAL_END: "/x"})
    assert isinstance(found, OwnJob) and (found.system, found.job, found.restarts) == ("local", "local3_2", 0)
    note = machine.folder / "state/yolofront/jobs/local7/1.pid"
    note.parent.mkdir(parents=True)
    note.write_text("elsewhere 1\n")
    submitted = Submission(system="local", number="local7", tasks=1, name="nas_head", folder=str(machine.folder))
    assert Local().look([submitted]) == (
        QueuedJob(system="local", job="local7_1", state="UNKNOWN", has_ended=False, node="elsewhere"),
    )
    with pytest.raises(Exception, match="local7_1 runs on elsewhere: cancel it there"):
        Local().cancel(["local7_1"])
