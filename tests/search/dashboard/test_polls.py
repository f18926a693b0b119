"""Cost of a page that asks for its study every two seconds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from search.pages import dashboard_records
from search.pages.dashboard_server import dashboard_app
from search.sampler.optuna_study import create_optuna_tables
from search.store.sql import open_store
from tests.search.dashboard.served import HOST, Served
from tests.search.plausible import Plausible, plausible_study, store_study
from tests.search.sampler.told import tell_sampler


@contextmanager
def statements() -> Iterator[list[str]]:
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        sent.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", note)


@pytest.fixture(autouse=True)
def always_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboard_records, "POLL_S", 0.0)


def test_while_nothing_is_new_no_trial_and_no_record_is_read_again(served: Served) -> None:
    before = served.json("/api/studies/1?after=18")
    with statements() as sent:
        assert served.json("/api/studies/1?after=18") == before
    tables = ("trial_params", "trial_user_attributes", "yolofront_measurements", "yolofront_front_members")
    assert [each for each in sent if any(table in each for table in tables)] == []
    assert len(sent) <= 12


def test_a_trial_that_ends_is_shown_at_the_next_poll_and_only_it_is_read(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    found, store = plausible_study(trials=4), open_store(url)
    study = store_study(store, plausible_study(trials=3))
    tell_sampler(url, study, plausible_study(trials=3))
    storage = create_optuna_tables(store, url)
    served = Served(dashboard_app(store, storage, tmp_path, hosts=(HOST,)), storage)
    shown = served.json("/api/studies/1")
    assert len(shown["trials"]) == 3

    last = found.records[-1]
    store.add(study, last, None)
    tell_sampler_of_one_more(url, found)
    with statements() as sent:
        shown = served.json("/api/studies/1?after=3")
    (trial,) = shown["trials"]
    assert trial["number"] == last.number and "rejected before training" in trial["note"]["body"]
    records = [each for each in sent if "FROM yolofront_records" in each and "ORDER BY" in each]
    assert all("yolofront_records.id >=" in each or "LIMIT" in each for each in records)
    assert served.json("/api/studies/1?after=0")["trials"][:3] == served.json("/api/studies/1")["trials"][:3]
    store.close()


def tell_sampler_of_one_more(url: str, found: Plausible) -> None:
    tell_sampler(url, found.study, replace(found, records=found.records[-1:]))
