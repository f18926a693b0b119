"""Several commands on one study, as tasks of a job array: each worker is somebody, one command ends the study."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from search.finish import end_note, study_run, study_workers
from search.finish.run_request import RunRequest
from search.finish.study_run import run_study
from search.record.folders import RunFolder
from search.store.base import WorkerId
from search.store.sql import open_store
from search.study.definition import load_study
from search.work.job import LEFT, Job, reason_of_all
from search.work.supervisor import RunEnd
from spaces.display.terminal import ShownConsole
from tests.search.store.examples import OBJECTIVES, REFERENCE_POINT, add_trial, record_of


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
            study = store.add_study(self.definition.name, self.definition.as_plain(), OBJECTIVES)
            store.freeze(study, {"reference_point": list(REFERENCE_POINT)})

    def run(self, workers: int = 1, **more: Any) -> str:
        """Run a command to its end. Return what it printed."""
        output = StringIO()
        request = RunRequest(self.definition, RunFolder(self.folder), self.url, workers=workers, **more)
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


def test_a_job_that_leaves_the_last_trials_to_others_does_not_end_the_study(commands: Commands) -> None:
    commands.why = LEFT
    assert "other jobs work on the last trials and rows" in commands.run(leaves=True, on_done="touch told")
    assert commands.endings == []
    assert [job.leaves for job in commands.jobs] == [True]


def test_the_end_is_told_once_and_again_after_further_trials(commands: Commands) -> None:
    told = commands.folder / "told"
    on_done = f'echo "$YOLOFRONT_STUDY $YOLOFRONT_END $YOLOFRONT_FOLDER" >> {told}'
    commands.run(on_done=on_done)
    assert told.read_text() == f"nas_head done {commands.folder / 'nas_head'}\n"
    assert "another job has written the report" in commands.run(leaves=True, on_done=on_done)
    assert "--on-done is not called again" in commands.run(on_done=on_done)
    assert commands.endings == ["done", "done"], "a command by hand shows its table again"
    with closing(open_store(commands.url)) as store:
        study = store.latest_study(commands.definition.name)
        assert study is not None
        add_trial(store, study, record_of(0))
    commands.run(leaves=True, on_done=on_done)
    assert len(told.read_text().splitlines()) == 2


def test_a_job_that_is_killed_while_it_ends_the_study_leaves_that_to_the_next(commands: Commands) -> None:
    class Killed(BaseException):
        pass

    def be_killed() -> None:
        raise Killed

    commands.while_ending = be_killed
    with pytest.raises(Killed):
        commands.run(leaves=True, on_done="false")
    said = commands.run(leaves=True, on_done="false")
    assert commands.endings == ["done", "done"]
    assert "warning: --on-done false: ended with exit code 1; the study is complete without it" in said


def test_a_command_that_tells_and_never_ends_is_ended(commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(end_note, "MOST_S", 0.1)
    assert "did not end within" in commands.run(on_done="sleep 60")


@pytest.mark.parametrize(
    ("reasons", "why"),
    [
        ([LEFT, LEFT], LEFT),
        ([LEFT, "done"], "done"),
        (["died", LEFT], LEFT),
        ([LEFT, "timeout"], "timeout"),
        (["done", "exhausted"], "exhausted"),
    ],
)
def test_a_run_leaves_if_all_its_workers_do(reasons: list[str], why: str) -> None:
    assert reason_of_all(reasons) == why
