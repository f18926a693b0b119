"""A limit of GPU-hours: no further trial begins when all runs of a study have used them up."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from search import run, submit
from search.cli.command import Exit, run_command
from search.record.events import say_nothing
from search.store.runs.gpu_hours import LOOK_EVERY_S, GpuHours
from search.store.runs.register import HOUR_S, RunEntry
from search.store.sql import open_store
from search.work.worker import Worker
from tests.search.work import quick_trials
from tests.search.work.quick_trials import QuickTrials

RUN = RunEntry(study="quick", generation=1, host="here", pid=7, started=1.5, gpus=4)
SPENT_S = 0.02


def test_a_worker_begins_no_trial_when_the_gpu_hours_are_spent(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    quick_trials.begin_study(url)
    with closing(open_store(url)) as store:
        study = store.latest_study("quick")
        assert study is not None
        said: list[str] = []
        hours = GpuHours(store, "quick", 1, RUN.gpus * SPENT_S / HOUR_S, said.append)
        optuna = quick_trials.optuna_study_of(url, study, 0)
        trials = QuickTrials(epoch_s=0.0)
        worker = Worker(
            store, study, optuna, trials, n_trials=2, deadline=None, say=say_nothing, is_over=hours.are_spent
        )
        store.note_run(RUN)
        time.sleep(SPENT_S)
        store.note_run(RUN)
        assert worker.work() == "done"
        assert store.counted(study) == 0
        (line,) = said
        assert line.startswith("the GPU-hours are spent: 0.0 of 2.2")


def test_hours_of_all_runs_count_and_are_looked_up_now_and_then() -> None:
    now = 0.0
    with closing(open_store("sqlite://")) as store:
        hours = GpuHours(store, "quick", 1, 1.5 * RUN.gpus * SPENT_S / HOUR_S, lambda _: None, lambda: now)
        assert not hours.are_spent()
        for pid in (1, 2):
            store.note_run(replace(RUN, pid=pid))
            time.sleep(SPENT_S)
            store.note_run(replace(RUN, pid=pid))
        store.note_run(replace(RUN, study="another"))
        assert not hours.are_spent(), "it has looked a moment ago"
        now = LOOK_EVERY_S
        assert hours.are_spent()


def test_a_submission_hands_its_limit_to_the_runs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    limited = ["--study", "nas_head", "--print", "--budget-gpu-hours", "60"]
    assert run_command(submit.main, [*limited, "--gpus", "1"]) == Exit.DONE
    assert " --device 0 --budget-gpu-hours 60 &" in capsys.readouterr().out
    assert run_command(submit.main, limited) == Exit.USAGE
    assert "counts GPUs, and these jobs have none" in capsys.readouterr().err
    assert run_command(run.main, ["--study", "nas_head", "--budget-gpu-hours", "0"]) == Exit.USAGE
    assert "--budget-gpu-hours is 0.0; it must be a positive number" in capsys.readouterr().err
