"""Counts of `make chaos`, on studies without trainings: its verdict must not depend on luck."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from benchmarks.disturbing import watched_study
from benchmarks.disturbing.commands import STORED, Command
from benchmarks.disturbing.databases import LockedFile
from benchmarks.disturbing.disturbances import DISTURBANCE_KINDS, KILLS, schedule
from benchmarks.disturbing.page import write_reliability_page
from benchmarks.disturbing.phase import PhaseResult
from benchmarks.disturbing.watched_study import WatchedStudy
from search.record.events import say_nothing
from search.store.outage.patience import Patience
from search.store.sql import open_store
from search.work.liveness import this_worker
from tests.search.work import quick_trials

CLEAN = PhaseResult("SQLite", {"clock moved": 2}, 7, [], [], [], [], [3.0, 9.0])


class Ended:
    """Stands for a command that has acknowledged these trials."""

    def __init__(self, *acknowledged: int) -> None:
        self.acknowledged, self.lines, self.exit_code, self.begun_again = list(acknowledged), ["the end"], 1, 0

    def begin_again(self) -> None:
        self.begun_again += 1


def watched(url: str, *commands: Ended) -> WatchedStudy:
    return WatchedStudy(url, "quick", [cast(Command, each) for each in commands], lambda line: None)


@pytest.fixture
def url(tmp_path: Path) -> str:
    found = f"sqlite:///{tmp_path}/a.db"
    quick_trials.begin_study(found)
    assert quick_trials.work(found, 5, seed=0, trials=quick_trials.QuickTrials(epoch_s=0.0)) == "done"
    return found


def test_a_study_that_ended_whole_has_no_faults(url: str) -> None:
    study = watched(url, Ended(0, 1, 2), Ended(3, 4))
    study.check_end()
    assert study.faults == watched_study.Faults()


def test_what_is_lost_doubled_open_or_wrong_is_found(url: str) -> None:
    study = watched(url, Ended(0, 77), Ended(0))
    store = open_store(url)
    entry = store.latest_study("quick")
    assert entry is not None
    attempt = store.reserve(entry, this_worker(), 100)
    assert attempt is not None
    store.assign(attempt, 5, {"ratio": 0.5, "backbone": "one"})
    best = store.fronts(entry)[-1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(store), "fronts", lambda self, study: (replace(best, members=best.members[1:]),))
        study.check_end()
    assert study.faults.lost == ["trial 77 is not stored"]
    assert study.faults.twice == ["trial 0"]
    assert study.faults.stuck == ["trial 5 is still open"]
    assert len(study.faults.wrong_fronts) == 1
    store.close()


def test_a_study_that_does_not_recover_is_stuck_and_an_end_without_reason_too(url: str) -> None:
    command = Ended()
    study = watched(url, command)
    study.recovers_within_s = 0.1
    study.may_end_until = time.monotonic() + 60
    study.look()
    study.await_trial(99, "trial 99")
    study.await_trial(2, "trial 2")
    study.await_trial(3, "trial 3 of a worker that hangs", lambda: False)
    study.wait(0.7)
    assert len(study.recoveries) == 1 and study.awaited == 0
    assert [line.partition(":")[0] for line in study.faults.stuck] == ["trial 99", "trial 3 of a worker that hangs"]
    assert command.begun_again
    study.may_end_until = 0.0
    study.look()
    assert study.faults.stuck[2:] == ["a command ended with exit code 1: ['the end']"]


def test_a_trial_that_is_disturbed_again_has_time_from_then_on(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    study = watched(url)
    study.await_trial(99, "trial 99")
    now = 200.0
    study.await_trial(99, "trial 99, again")
    now = 300.0
    study.look()
    assert (study.awaited, study.faults.stuck) == (2, [])
    now = 441.0
    study.look()
    assert (study.awaited, len(study.faults.stuck)) == (0, 2)


def test_the_schedule_follows_from_the_seed_and_half_of_the_kills_are_within_trials() -> None:
    one, same = (schedule(random.Random(5), list(DISTURBANCE_KINDS)) for _ in range(2))
    assert one == same and set(one) == set(DISTURBANCE_KINDS)
    kills = Counter(kind for kind in one if kind in KILLS)
    assert abs(kills[KILLS[0]] - kills[KILLS[1]]) <= 1


def test_an_acknowledged_trial_is_read_from_the_progress() -> None:
    assert STORED.match("09:05:10    1:05  trial 12: size_mib 3.1 (3 of 9); the front moved")
    assert not STORED.match("09:05:10    1:05  worker 0: trial 12, epoch 1 of 1")


def test_a_locked_file_is_waited_for(url: str, tmp_path: Path) -> None:
    LockedFile(tmp_path / "a.db").go_away(0.01, hard=False)
    store = open_store(url, Patience(say=say_nothing))
    assert len(store.studies()) == 1
    store.close()


def test_the_page_shows_the_counts_of_all_runs(tmp_path: Path) -> None:
    stuck = replace(CLEAN, database="PostgreSQL", stuck=["x"], recoveries=[])
    assert CLEAN.is_clean and not stuck.is_clean
    results, page = tmp_path / "r.json", tmp_path / "r.md"
    results.write_text(json.dumps([{"seed": 4, "seconds": 600, "rows": [CLEAN.as_plain(), stuck.as_plain()]}]))
    page.write_text("# Old\n\n## Notes\n\nWritten by people.\n")
    write_reliability_page(results, page)
    text = page.read_text()
    assert "| SQLite | 7 | 2 | 0 | 0 | 0 | 0 | 6, 9 |" in text
    assert "| PostgreSQL | 7 | 2 | 0 | 0 | 1 | 0 | - |" in text
    assert "| clock moved | 2 | 2 |" in text
    assert text.endswith("## Notes\n\nWritten by people.\n")
