"""A second batch system: one class and one entry in the registry are all that the command needs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, final

import pytest

from search import submit
from search.batch import registry
from search.batch.job import BatchJob
from search.batch.queued import OwnJob, QueuedJob, Submission
from search.batch.script_system import ScriptSystem
from search.batch.system import HeaderValue
from search.cli.command import Exit, run_command
from tests.search.batch.batch_system_contract import ScriptSystemContract


@final
class Pbs(ScriptSystem):
    """As much of PBS as the contract asks for."""

    name = "pbs"
    title = "PBS"
    command = "qsub"
    header_values: ClassVar[Mapping[str, HeaderValue]] = {"time": HeaderValue(re.compile(r"\d+:\d\d:\d\d"), "hh:mm:ss")}

    def headers(self, job: BatchJob) -> Iterator[str]:
        yield f"#PBS -N {job.name}"
        yield f"#PBS -l select=1:ncpus={job.cores},walltime={job.time}"
        if job.array > 1:
            yield f"#PBS -J 1-{job.array}"

    def requeue(self) -> str:
        return 'qrerun "$PBS_JOBID"'

    def submit(self, file: Path, tasks: int | None = None, *, test_only: bool = False) -> str:
        return "" if test_only else self.call_program([self.command, str(file)], "the job")[0].strip()

    def look(self, submissions: Sequence[Submission]) -> tuple[QueuedJob, ...]:
        return ()

    def cancel(self, jobs: Sequence[str]) -> None:
        self.call_program(["qdel", *jobs], "to cancel")

    def log_of(self, submission: Submission, job: str) -> Path:
        return Path(submission.folder) / f"{submission.name}.o{job}"

    def own_job(self, environment: Mapping[str, str]) -> OwnJob | None:
        return None

    def restarts(self) -> str:
        return "${PBS_RESTARTS:-0}"


class TestPbs(ScriptSystemContract):
    @pytest.fixture
    def system(self) -> ScriptSystem:
        return Pbs()


def test_the_command_writes_for_a_system_that_is_registered(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry.SYSTEMS, Pbs.name, Pbs())
    monkeypatch.setattr(submit, "DEFAULT_SYSTEM", Pbs.name)
    assert run_command(submit.main, ["--study", "nas_head", "--print", "--time", "1:00:00"]) == Exit.DONE
    printed = capsys.readouterr().out
    assert "#PBS -l select=1:ncpus=1,walltime=1:00:00" in printed
    assert "PBS signals this shell" in printed and 'qrerun "$PBS_JOBID"' in printed
    assert "SBATCH" not in printed


def test_every_registered_system_stands_under_its_name() -> None:
    assert registry.DEFAULT_SYSTEM in registry.SYSTEMS
    assert [system.name for system in registry.SYSTEMS.values()] == list(registry.SYSTEMS)
