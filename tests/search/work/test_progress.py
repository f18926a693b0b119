"""The display of the workers' events: lines of a log, and the same as JSON."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import datetime

from rich.console import Console

from search.record.events import Activity, BatchDone, DatabaseBack, DatabaseLost, Event, Note, RecordStored
from search.work.json_log import JsonConsole, progress_on
from search.work.progress import LINE_WIDTH, Progress, StudyProgress
from spaces.command_line import Verbosity
from tests.search.plausible import plausible_study

RECORDS = plausible_study(trials=3).records
STUDY = StudyProgress(("map50_95", "latency_ms"), n_trials=10, counted=2)
EVENTS: tuple[Event, ...] = (
    Activity("measuring sensitivity"),
    Activity("trial 0: training", trial=0),
    BatchDone(epoch=1, epochs=3, batch=1, batches=8),
    BatchDone(epoch=1, epochs=3, batch=2, batches=8),
    RecordStored(next(record for record in RECORDS if record.number == 0), moved_front=True),
)


def log_of(*events: Event, study: StudyProgress = STUDY, width: int = 80) -> list[str]:
    """The lines of a log in which the first event comes at half past nine, and each later one 25 s after the last."""
    shown, clock = io.StringIO(), iter(range(0, 10_000, 25))
    now = lambda: datetime(2026, 3, 2, 9, 30, 5)  # noqa: E731
    with Progress(Console(file=shown, width=width), study, lambda: float(next(clock)), now) as progress:
        for event in events:
            progress.show(0, event)
    return shown.getvalue().splitlines()


def test_a_database_that_all_workers_miss_is_told_once() -> None:
    shown = io.StringIO()
    now = lambda: datetime(2026, 3, 2, 9, 30, 5)  # noqa: E731
    with Progress(Console(file=shown), STUDY, lambda: 0.0, now) as progress:
        for worker in (0, 1, 0):
            progress.show(worker, DatabaseLost("the database is away"))
        for worker in (1, 0):
            progress.show(worker, DatabaseBack("it answers again"))
        progress.show(1, DatabaseLost("the database is away"))
    assert shown.getvalue().split("\n") == [
        "09:30:05    0:00  the database is away",
        "09:30:05    0:00  it answers again",
        "09:30:05    0:00  the database is away",
        "",
    ]


def test_a_line_tells_the_time_of_day_and_how_many_trials_are_done() -> None:
    *_, last = log_of(*EVENTS)
    assert last.startswith("09:30:05 ") and "  trial 0: mAP50-95 0." in last
    assert last.endswith(" (3 of 10); now on the Pareto front")


def test_a_trial_is_counted_without_a_total_if_a_budget_ends_the_study() -> None:
    *_, last = log_of(*EVENTS, study=replace(STUDY, n_trials=None))
    assert last.endswith(" (3); now on the Pareto front")


def test_no_line_is_longer_than_a_log_can_show_and_none_of_its_words_is_lost() -> None:
    words = [f"model.{number}.cv1.conv" for number in range(60)]
    lines = log_of(Note(", ".join(words)))
    assert max(map(len, lines)) <= LINE_WIDTH and len(lines) > 3
    assert " ".join(line.strip() for line in lines).endswith(", ".join(words))
    assert all(line.startswith(" " * 18) for line in lines[1:])


def test_a_quiet_run_says_nothing_and_a_verbose_one_each_step() -> None:
    assert log_of(*EVENTS, study=replace(STUDY, verbosity=Verbosity.QUIET)) == []
    verbose = log_of(*EVENTS, study=replace(STUDY, verbosity=Verbosity.VERBOSE))
    assert any(line.endswith("trial 0: training") for line in verbose)
    assert any(line.endswith("epoch 1 of 3, batch 1 of 8") for line in verbose)
    assert not any(line.endswith("trial 0: training") for line in log_of(*EVENTS))


def test_a_json_log_has_one_object_a_line_with_its_time() -> None:
    shown = io.StringIO()
    console = JsonConsole(shown)
    with progress_on(console, STUDY) as progress:
        for event in (*EVENTS, Note("a\x1b[31m note")):
            progress.show(0, event)
    console.print("")
    found = [json.loads(line) for line in shown.getvalue().splitlines()]
    assert [each["event"] for each in found] == ["activity", "activity", "epoch", "record", "line"]
    assert all(datetime.fromisoformat(each["time"]).tzinfo for each in found)
    record = found[3]
    assert (record["name"], record["moved_front"]) == ("trial 0", True)
    assert (record["trials_done"], record["trials_asked"]) == (3, 10)
    assert set(record["values"]) == {"map50_95", "latency_ms"} and "\x1b" not in shown.getvalue()
