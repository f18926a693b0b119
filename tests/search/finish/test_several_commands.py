"""Several commands on one study, as tasks of a job array: each worker is somebody, one command ends the study."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import pytest

from search.finish import study_run, study_workers
from search.finish.run_request import RunRequest
from search.finish.study_run import run_study
from search.record.folders import RunFolder
from search.store.base import WorkerId
from search.store.sql import open_store
from search.study.definition import load_study
from search.work.job import Job
from search.work.supervisor import RunEnd
from spaces.display.terminal import ShownConsole
from tests.search.store.examples import OBJECTIVES


class Commands:
    """Runs whose workers are done at once; `meanwhile` is called while the first ones work, and while it ends."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.definition = load_study("nas_head")
        self.folder, self.url = folder, f"sqlite:///{folder / 'study.db'}"
        self.jobs: list[Job] = []
        self.endings: list[str] = []
        self.why = "done"
        self.while_working: Callable[[], object] | None = None
        self.while_ending: Callable[[], object] | None = None
        monkeypatch.setattr(study_workers, "Supervisor", self._supervise)
        monkeypatch.setattr(study_run, "finish_study", self._finish)
        with closing(open_store(self.url)) as store:
            store.add_study(self.definition.name, self.definition.as_plain(), OBJECTIVES)

    def run(self, workers: int = 1) -> str:
        """Run a command to its end. Return what it printed."""
        output = StringIO()
        request = RunRequest(self.definition, RunFolder(self.folder), self.url, workers=workers)
        run_study(request, ShownConsole(output, width=200))
        return output.getvalue()

    def _supervise(self, jobs: Sequence[Job], *_: object) -> SimpleNamespace:
        self.jobs.extend(jobs)
        working, self.while_working = self.while_working, None
        if working is not None:
            working()
        return SimpleNamespace(run=lambda: RunEnd(self.why, "", 0, {}))

    def _finish(self, *_: object) -> None:
        self.endings.append(self.why)
        ending, self.while_ending = self.while_ending, None
        if ending is not None:
            ending()


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    return Commands(tmp_path, monkeypatch)


def test_no_two_workers_of_a_study_have_the_same_number(commands: Commands) -> None:
    def run_on_another_node() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(study_workers, "this_worker", lambda: WorkerId("another host", 1, 0.0))
            commands.run(workers=2)

    commands.while_working = run_on_another_node
    commands.run(workers=2)
    assert [(job.index, job.is_first) for job in commands.jobs] == [(0, True), (1, False), (2, True), (3, False)]


def test_the_next_command_has_the_numbers_of_the_one_before(commands: Commands) -> None:
    for _ in range(2):
        commands.run(workers=2)
    assert [job.index for job in commands.jobs] == [0, 1, 0, 1]


def test_one_command_ends_the_study_and_the_others_leave(commands: Commands) -> None:
    said: list[str] = []
    commands.while_ending = lambda: said.append(commands.run())
    commands.run()
    assert commands.endings == ["done"]
    assert "the study is done; another command confirms the front and writes the report" in said[0]
    commands.run()
    assert commands.endings == ["done", "done"], "the end is free again"


def test_a_command_whose_time_is_up_leaves_the_end_to_others(commands: Commands) -> None:
    commands.why = "timeout"
    commands.while_ending = lambda: commands.run()
    commands.run()
    assert commands.endings == ["timeout", "timeout"], "each tells how far the study is"
