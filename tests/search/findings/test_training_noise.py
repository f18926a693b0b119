"""The noise of training from two trainings of one trial: its text, and where a repeated row is left out."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from search.findings.leaderboard import leaderboard
from search.findings.selection import at_knee, best_under
from search.findings.time_table import time_table
from search.findings.training_effort import effort_text, training_effort
from search.findings.training_noise import TrainingNoise, rounded_up, training_noise, trials_to_repeat
from search.finish.polishing import select_for_polishing
from search.pages.compared_records import select_compared
from search.pages.report import headline
from search.pages.study_report import print_study_results, write_report
from search.record.trial import Outcome, TrialRecord
from search.store.base import Store, StudyEntry
from search.store.sql import open_store
from search.study.faults import DefinitionError
from search.trial.front_rule import front_at
from tests.search.plausible import OBJECTIVES, plausible_evaluation, plausible_study, store_study

STUDY = plausible_study()
RECORDS = STUDY.records


def reached(record: TrialRecord) -> float:
    return record.value("map50_95") or 0.0


def repeated(trial: TrialRecord, difference: float) -> TrialRecord:
    """The row of a trial that was trained once more."""
    return replace(
        trial,
        number=None,
        name=f"{trial.name} repeated",
        identity=f"{trial.identity} repeated",
        params={},
        seed=trial.seed + 1000,
        evaluations=(plausible_evaluation("val", reached(trial) + difference),),
    )


def named(name: str, records: Sequence[TrialRecord] = RECORDS) -> TrialRecord:
    return next(record for record in records if record.name == name)


@pytest.fixture
def store() -> Iterator[Store]:
    store = open_store("sqlite://")
    yield store
    store.close()


@pytest.fixture
def study(store: Store) -> StudyEntry:
    """A study whose best trial was trained again and came out far better than everything else."""
    study = store_study(store, STUDY)
    (trial,) = trials_to_repeat(RECORDS, 1)
    assert store.add(study, repeated(trial, 0.3), None) is None, "it does not move the front"
    return study


def test_the_difference_of_two_trainings_tells_the_deviation_of_one() -> None:
    noise = training_noise([*RECORDS, repeated(named("trial 7"), -0.004)])
    assert noise is not None
    assert noise.deviation == pytest.approx(0.004 / 2**0.5)
    assert noise.text() == (
        "two trainings of trial 7 differ by 0.004: differences below 0.01 mean nothing "
        "(a rough estimate, from one pair)"
    )


def test_all_pairs_of_a_study_count() -> None:
    pairs = [repeated(named("trial 7"), -0.003), repeated(named("trial 12"), 0.009)]
    noise = training_noise([*RECORDS, *pairs])
    assert noise is not None
    assert noise.deviation == pytest.approx(((0.003**2 + 0.009**2) / 4) ** 0.5)
    assert noise.text() == (
        "two trainings each of trial 7 and trial 12 differ by 0.007 on average: differences below 0.015 mean nothing "
        "(a rough estimate, from 2 pairs)"
    )


def test_the_deviation_is_found_again_from_many_pairs() -> None:
    chance = random.Random(0)
    pairs = {f"trial {number}": chance.gauss(0, 0.004) - chance.gauss(0, 0.004) for number in range(400)}
    assert TrainingNoise(pairs).deviation == pytest.approx(0.004, rel=0.1)


def test_two_trainings_that_agree_by_chance_do_not_tell_that_there_is_no_noise() -> None:
    noise = training_noise([*RECORDS, repeated(named("trial 7"), 0.0)])
    assert noise is not None and noise.least_meaningful == 0.005


def test_without_a_repeated_training_nothing_is_known() -> None:
    assert training_noise(RECORDS) is None
    assert training_noise([repeated(named("trial 7"), 0.01)]) is None, "its trial is not there"


@pytest.mark.parametrize(
    "value, up", [(0.005, 0.005), (0.0051, 0.01), (0.008, 0.01), (0.012, 0.015), (0.021, 0.03), (0.06, 0.1)]
)
def test_the_figure_is_rounded_up(value: float, up: float) -> None:
    assert rounded_up(value) == pytest.approx(up)


def test_the_most_accurate_of_the_shortest_trainings_are_repeated_and_each_once() -> None:
    """A weak network differs more between two trainings, and a long training costs more."""
    complete = [
        each for each in RECORDS if each.outcome is Outcome.COMPLETE and each.feasible and each.number is not None
    ]
    first, second = trials_to_repeat(RECORDS, 2)
    assert [reached(first), reached(second)] == sorted(map(reached, complete), reverse=True)[:2]
    done = [*RECORDS, repeated(first, 0.01)]
    assert trials_to_repeat(done, 1) == ()
    assert trials_to_repeat(done, 2) == (second,)
    longer = [replace(each, recipe={**each.recipe, "epochs": 99}) if each is first else each for each in RECORDS]
    assert trials_to_repeat(longer, 1) == (second,)
    rows = [record for record in RECORDS if record.is_reference]
    assert trials_to_repeat(rows, 1) == (), "no trial is complete"


def test_a_repeated_training_is_no_network_to_choose(store: Store, study: StudyEntry) -> None:
    records = store.records(study)
    again = records[-1]
    assert again.is_repeated and not again.is_polished
    assert reached(again) == max(map(reached, records)), "it would win everywhere"
    assert again.name not in store.fronts(study)[-1].members
    assert at_knee(records, OBJECTIVES) is not again and best_under(records, 99.0) is not again
    assert front_at(99.0, records) == front_at(99.0, records[:-1])
    assert again.name not in [record.name for record in select_for_polishing(store, study)]
    with pytest.raises(DefinitionError, match="cannot be polished"):
        select_for_polishing(store, study, again.name)
    assert again.name not in [record.name for record in select_compared(store, study=study.name).records]
    rows = leaderboard(records, store.fronts(study)[-1].members)
    (row,) = [row for row in rows if row.record is again]
    assert (row.on_front, row.best, row.roles) == (False, frozenset(), ())
    assert row.note.startswith("the same training with another seed")
    assert headline(rows) == headline(leaderboard(records[:-1], store.fronts(study)[-1].members))


def test_its_cost_is_shown_by_itself(store: Store, study: StudyEntry) -> None:
    records = store.records(study)
    before, after = time_table(records[:-1]), time_table(records)
    seconds = {time.phase: time.seconds for time in after}
    phases = ("build", "latency", "training", "evaluation", "other")
    assert seconds["repeating"] == pytest.approx(sum(records[-1].seconds[phase] for phase in phases))
    assert seconds["training"] == pytest.approx({time.phase: time.seconds for time in before}["training"])
    assert effort_text(training_effort(records)).startswith(
        effort_text(training_effort(records[:-1])).split(", 2 spared")[0]
    )
    assert "3 more to repeat a training" in effort_text(training_effort(records))


def test_table_and_report_say_it(store: Store, study: StudyEntry, tmp_path: Path) -> None:
    (trial,) = trials_to_repeat(RECORDS, 1)
    said = f"two trainings of {trial.name} differ by 0.300: differences below 1 mean nothing"
    printed = io.StringIO()
    print_study_results(store, study, to=printed)
    assert said in " ".join(printed.getvalue().split())
    write_report(store, study, tmp_path)
    assert said in (tmp_path / "report.html").read_text()
    assert said in (tmp_path / "leaderboard.md").read_text()
