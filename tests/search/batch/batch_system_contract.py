"""Contracts of batch systems: inherited test classes; scripts are run in a real shell."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from search.batch.job import BatchJob
from search.batch.script_system import ScriptSystem
from search.batch.system import BatchSystem
from search.study.faults import DefinitionError

POSTGRES = "postgresql+psycopg://worker:s3cret@db.example/yolofront"
AWKWARD = (
    "--data", "my data/$HOME.yaml", "-o", "recipe.lr0={low: 1e-4, high: 1e-2}", "--name", "it's", "", "`id`", "a\nb",
)  # fmt: skip
JOBS = {
    "plain": BatchJob("nas_head"),
    "array": BatchJob("nas_head", storage=POSTGRES, array=4, workers=2, threads=3),
    "awkward": BatchJob("nas_head", Path("my runs/$x"), arguments=AWKWARD, python="/opt/my python/bin/python"),
}


class BatchSystemContract:
    """Subclass it, with a fixture `system` that returns the batch system."""

    container: str | None = None
    """Image of the jobs, where the batch system needs one."""

    def test_what_is_rendered_holds_no_password(self, system: BatchSystem) -> None:
        array = replace(JOBS["array"], container=self.container)
        assert "s3cret" not in system.render(array)
        hidden = replace(array, arguments=("--storage", POSTGRES))
        with pytest.raises(DefinitionError, match="password would stand in the script"):
            system.render(hidden)

    def test_a_process_outside_of_any_job_has_none(self, system: BatchSystem) -> None:
        assert system.own_job({"HOME": "/", "PATH": "/usr/bin"}) is None

    @pytest.mark.parametrize("name", ["workers", "threads", "array"])
    def test_counts_below_one_are_refused(self, system: BatchSystem, name: str) -> None:
        with pytest.raises(DefinitionError, match=f"--{name} is 0; it must be at least 1"):
            system.render(replace(JOBS["plain"], **{name: 0}))  # type: ignore[arg-type]

    def test_several_jobs_need_a_database_server(self, system: BatchSystem, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("SEARCH_STORAGE", raising=False)
        if system.needs_server:
            with pytest.raises(DefinitionError, match="need a database server"):
                system.render(replace(JOBS["plain"], array=2))
        array = replace(JOBS["array"], container=self.container)
        assert system.render(array) != system.render(replace(array, array=5))

    def test_a_study_that_does_not_exist_is_refused(self, system: BatchSystem) -> None:
        with pytest.raises(DefinitionError, match=r"did you mean nas_head\?"):
            system.render(BatchJob("nas_hed"))


class ScriptSystemContract(BatchSystemContract):
    """Subclass it, with a fixture `system` that returns the batch system."""

    @pytest.fixture
    def echo(self, tmp_path: Path) -> Path:
        """A program in place of the interpreter, in a folder with a space: it prints its arguments and ends with 7."""
        folder = tmp_path / "my bin"
        folder.mkdir()
        program = folder / "python"
        program.write_text(f"#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\nsys.exit(7)\n")
        program.chmod(0o755)
        return program

    def run(self, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
        known = {name: value for name, value in os.environ.items() if name != "SEARCH_STORAGE"}
        return subprocess.run(
            ["bash"], input=script, env=known | environment, capture_output=True, text=True, timeout=60, check=False
        )

    @pytest.mark.parametrize("name", JOBS)
    def test_the_script_is_valid_shell_that_begins_with_its_headers(self, system: ScriptSystem, name: str) -> None:
        script = system.render(JOBS[name])
        checked = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
        assert (checked.returncode, checked.stderr) == (0, "")
        first, *rest = script.splitlines()
        assert first == "#!/bin/bash"
        headers = list(system.headers(JOBS[name]))
        assert rest[: len(headers)] == headers, "a batch system stops reading at the first command"
        assert all(header.startswith("#") and "\n" not in header for header in headers)

    def test_a_password_is_not_in_the_script_which_asks_for_the_environment(
        self, system: ScriptSystem, echo: Path
    ) -> None:
        job = replace(JOBS["array"], python=str(echo))
        script = system.render(job)
        assert "s3cret" not in script
        told = self.run(script, SEARCH_STORAGE=POSTGRES)
        assert "--storage" not in json.loads(told.stdout)
        silent = self.run(script)
        assert silent.returncode != 0 and silent.stdout == ""
        assert "SEARCH_STORAGE" in silent.stderr

    def test_a_url_without_a_password_is_passed_on(self, system: ScriptSystem, echo: Path) -> None:
        url = "postgresql+psycopg://db.example/yolofront"
        words = json.loads(self.run(system.render(BatchJob("nas_head", storage=url, python=str(echo)))).stdout)
        assert words[words.index("--storage") + 1] == url

    def test_paths_and_arguments_reach_the_run_unchanged(self, system: ScriptSystem, echo: Path) -> None:
        job = replace(JOBS["awkward"], python=str(echo), workers=2, threads=3)
        words = json.loads(self.run(system.render(job)).stdout)
        assert words[:4] == ["-P", "-m", "yolofront", "run"]
        assert dict(zip(words[4:12:2], words[5:12:2], strict=True)) == {
            "--study": "nas_head",
            "--project": "my runs/$x",
            "--workers": "2",
            "--threads": "3",
        }
        assert tuple(words[12:]) == AWKWARD

    def test_the_script_ends_as_the_run_ends(self, system: ScriptSystem, echo: Path) -> None:
        job = BatchJob("nas_head", python=str(echo))
        assert self.run(system.render(job)).returncode == 7
        (line,) = (line for line in system.render(job).splitlines() if " -m yolofront run " in line)
        assert shlex.split(line.removesuffix(" &")) == list(job.command)

    def test_headers_take_no_foreign_text(self, system: ScriptSystem) -> None:
        foreign = "1\n#SBATCH --uid=0"
        for name in ("time", "partition", "gpus"):
            job = replace(JOBS["plain"], **{name: foreign})  # type: ignore[arg-type]
            if name in system.header_values:
                with pytest.raises(DefinitionError, match=f"--{name} is "):
                    system.render(job)
            else:
                assert foreign not in "\n".join(system.headers(job))

    def test_what_queues_a_job_again_is_one_command(self, system: ScriptSystem) -> None:
        assert system.requeue() and "\n" not in system.requeue()
        assert system.requeue() in system.render(JOBS["plain"])
