"""Optuna's tables are read and written as its own storage does it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial
from sqlalchemy import Engine, event

from search.record.trial import Outcome, TrialRecord
from search.sampler.optuna_study import OptunaStudy
from search.sampler.registry import make_sampler
from search.sampler.tables.patient_storage import PatientStorage
from search.store.base import Attempt, Store, StudyEntry
from search.store.outage.patience import Patience
from search.store.sampling.advice import Advice
from search.store.sql import open_store
from tests.search.store.examples import ME, record_of
from tests.search.work import quick_trials
from tests.search.work.quick_trials import PARAMETERS

DISTRIBUTIONS = {
    "lr": FloatDistribution(1e-4, 1.0, log=True),
    "donor": CategoricalDistribution(("one", 2, None)),
    "width": IntDistribution(8, 64, step=8),
}


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'rows.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    store = open_store(url)
    yield store
    store.close()


@pytest.fixture
def study(url: str, store: Store) -> StudyEntry:
    return quick_trials.begin_study(url)


def optuna_study_of(url: str, study: StudyEntry) -> OptunaStudy:
    return quick_trials.optuna_study_of(url, study, seed=0)


def trials_of_all_kinds() -> list[Any]:
    whole: dict[str, Any] = {
        "params": {"width": 16, "lr": 0.1, "donor": None}, "distributions": DISTRIBUTIONS,
        "user_attrs": {"reason": "a", "figures": [1.5, None]}, "system_attrs": {"constraints:latency_ms": -0.5},
    }  # fmt: skip
    return [
        create_trial(state=TrialState.COMPLETE, values=[0.25, math.inf], **whole),
        create_trial(state=TrialState.PRUNED, intermediate_values={1: 0.5, 2: math.nan, 3: -math.inf}, **whole),
        create_trial(state=TrialState.FAIL),
        create_trial(state=TrialState.WAITING, user_attrs={"order": "b"}),
        create_trial(state=TrialState.RUNNING, params={"lr": 0.5}, distributions={"lr": DISTRIBUTIONS["lr"]}),
    ]


def plain(trial: Any) -> dict[str, Any]:
    """A trial as text, so that NaN equals NaN, without the key that tells our calls apart."""
    found = {name: getattr(trial, name) for name in ("number", "state", "values", "params", "distributions")}
    found |= {name: getattr(trial, name) for name in ("user_attrs", "datetime_start", "datetime_complete")}
    system = {key: value for key, value in trial.system_attrs.items() if not key.startswith("yolofront:")}
    return {**found, "system_attrs": system, "steps": repr(trial.intermediate_values), "id": trial._trial_id}


def test_trials_are_read_and_added_as_by_optunas_own_storage(url: str) -> None:
    ours = PatientStorage(url, Patience())
    stock = RDBStorage(ours.url)
    ids = [storage.create_new_study([StudyDirection.MAXIMIZE] * 2, name) for name, storage in
           (("ours", ours), ("stock", stock))]  # fmt: skip
    for trial in trials_of_all_kinds():
        for study_id, storage in zip(ids, (ours, stock), strict=True):
            storage.create_new_trial(study_id, trial)
    for study_id in ids:
        read = [plain(trial) for trial in stock.get_all_trials(study_id)]
        assert [plain(trial) for trial in ours.get_all_trials(study_id)] == read
        assert [plain(ours.get_trial(trial["id"])) for trial in read] == read
        running = ours.get_all_trials(study_id, states=(TrialState.RUNNING, TrialState.WAITING))
        assert [trial.number for trial in running] == [3, 4]
    added = [[{**plain(trial), "id": 0} for trial in stock.get_all_trials(study_id)] for study_id in ids]
    assert added[0] == added[1]
    with pytest.raises(KeyError):
        ours.get_trial(99)
    with pytest.raises(KeyError):
        ours.get_all_trials(99)


def test_a_told_record_is_what_optunas_own_storage_reads(url: str, store: Store, study: StudyEntry) -> None:
    ours = optuna_study_of(url, study)
    records = []
    for number, outcome in enumerate((Outcome.COMPLETE, Outcome.STOPPED, Outcome.FAILED)):
        _, params = ours.ask()
        records.append(record_of(number, outcome=outcome, params=params, reason="because"))
        ours.tell(records[-1])
        ours.tell(replace(records[-1], outcome=Outcome.DUPLICATE))  # it is told already: nothing changes
    rebuilt = OptunaStudy(url, "rebuilt", study.objectives, PARAMETERS, make_sampler("random", 0))
    rebuilt.settle(records, (), (), may_be_asking=False)
    stock = RDBStorage(PatientStorage(url, Patience()).url)
    told, other = (stock.get_all_trials(stock.get_study_id_from_name(name)) for name in ("quick", "rebuilt"))
    assert [trial.state.name for trial in told] == ["COMPLETE", "PRUNED", "FAIL"]
    assert told[0].params == dict(records[0].params) and told[0].user_attrs["outcome"] == "complete"
    for one, two in zip(told, other, strict=True):
        for name in ("number", "state", "values", "params", "distributions", "user_attrs", "constraints"):
            assert getattr(one, name) == getattr(two, name), name
        assert one.datetime_complete is not None and one.datetime_start is not None


def add_with_advice(store: Store, study: StudyEntry, attempt: Attempt, ours: OptunaStudy, record: TrialRecord) -> bool:
    advice = ours.telling(record)
    assert advice is not None
    store.add(study, record, attempt, advice)
    return advice.is_written


def begin_trial(store: Store, study: StudyEntry, ours: OptunaStudy) -> tuple[Attempt, TrialRecord]:
    asked = ours.propose()
    attempt = store.reserve(study, ME, 100)
    assert attempt is not None
    attempt = store.assign(attempt, asked.number, asked.params, asked.advice)
    assert asked.advice is not None and asked.advice.is_written
    return attempt, record_of(asked.number, params=asked.params)


class Killed(BaseException):
    """Stands for the end of the process: the transaction is never committed."""


@contextmanager
def killed_at(statement: int) -> Iterator[list[str]]:
    """Raise `Killed` at a statement of the block, counted from 0; yields the statements."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, text: str, *_: object) -> None:
        sent.append(text)
        if len(sent) > statement:
            raise Killed

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def test_a_kill_at_any_statement_leaves_record_and_advice_or_neither(url: str, store: Store, study: StudyEntry) -> None:
    ours = optuna_study_of(url, study)
    attempt, record = begin_trial(store, study, ours)
    assert [dict(trial.params) for trial in ours.study.get_trials()] == [dict(record.params)]
    for statement in range(1000):
        with killed_at(statement) as sent, suppress(Killed):
            add_with_advice(store, study, attempt, ours, record)
        (trial,) = optuna_study_of(url, study).study.get_trials()
        if len(sent) <= statement:
            break
        assert store.records(study) == () and trial.state is TrialState.RUNNING
        assert trial.values is None and trial.user_attrs == {}
    assert 20 < statement < 100
    assert [each.name for each in store.records(study)] == ["trial 0"] and trial.state is TrialState.COMPLETE


def test_a_record_is_stored_although_its_advice_cannot_be(url: str, store: Store, study: StudyEntry) -> None:
    ours = optuna_study_of(url, study)
    attempt, record = begin_trial(store, study, ours)
    advice = Advice(lambda connection: bool(connection.exec_driver_sql("SELECT 1 FROM nowhere")))
    assert store.add(study, record, attempt, advice) is not None
    assert not advice.is_written and [each.name for each in store.records(study)] == ["trial 0"]
    ours.tell(record)  # as the worker then does
    assert ours.unfinished() == ()


def test_a_study_that_was_deleted_in_the_dashboard_loses_no_record(url: str, store: Store, study: StudyEntry) -> None:
    ours = optuna_study_of(url, study)
    attempt, record = begin_trial(store, study, ours)
    PatientStorage(url, Patience()).delete_study(ours.study._study_id)
    assert not add_with_advice(store, study, attempt, ours, record)
    assert [each.name for each in store.records(study)] == ["trial 0"]
