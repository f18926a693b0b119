"""Many workers that start in one second on one PostgreSQL: few connections, and one of them makes what all need."""

from __future__ import annotations

import time
from contextlib import closing

import pytest

from benchmarks.cluster.herd import counted_connections
from search.sampler.tables.first_worker import AT_ONCE, sampler_tables
from search.store.outage.among_all import once_among_all
from search.store.sql import open_store
from tests.search.store.examples import as_processes
from tests.search.work import quick_trials

WORKERS = 8
WITHIN_S = 300.0
"""Longer than they take on a slow machine with much other work."""
MOST = WORKERS + 2 * (AT_ONCE + 1) + 3
"""One for each worker, two more for each that opens the sampler's tables, and a few that just try a lock."""


def join(index: int, url: str) -> int:
    """Begin as a worker does: schema, study, the sampler's tables. Return the number of studies."""
    with closing(open_store(url)) as store:
        with once_among_all(store, "open quick", lambda: store.latest_study("quick") is not None) as is_mine:
            if is_mine:
                quick_trials.begin_study(url)
        study = store.latest_study("quick")
        assert study is not None
        with sampler_tables(store, study, index):
            quick_trials.optuna_study_of(url, study, index).rest()
        return len(store.studies())


@pytest.mark.slow
def test_a_herd_joins_an_empty_database_with_few_connections(postgres_url: str) -> None:
    with counted_connections(postgres_url) as counts:
        assert as_processes(join, postgres_url, count=WORKERS, within_s=WITHIN_S) == [1] * WORKERS
    assert WORKERS // 2 < max(counts) <= MOST


def test_those_who_find_it_done_hold_no_lock_and_wait_for_none(postgres_url: str) -> None:
    with (
        closing(open_store(postgres_url)) as store,
        closing(open_store(postgres_url)) as other,
        once_among_all(store, "parent", lambda: False) as is_mine,
        once_among_all(other, "parent", lambda: True) as is_others,
    ):
        assert (is_mine, is_others) == (True, False)


def test_who_waits_takes_over_when_the_holder_ends_without_doing_it(postgres_url: str) -> None:
    with closing(open_store(postgres_url)) as store, closing(open_store(postgres_url)) as other:
        held = store.exclusive("parent")
        held.__enter__()

        def end() -> None:
            held.__exit__(None, None, None)

        with once_among_all(other, "parent", lambda: False, end) as is_mine:
            assert is_mine


@pytest.mark.parametrize(("keeps", "kept"), [(False, 0), (True, 1)])
def test_a_process_that_seldom_calls_keeps_no_connection(postgres_url: str, keeps: bool, kept: int) -> None:
    with closing(open_store(postgres_url, keeps=keeps)) as store, counted_connections(postgres_url) as counts:
        store.studies()
        counts.clear()
        while kept not in counts:  # the server needs some milliseconds to notice an end
            time.sleep(0.01)
        store.studies()
        assert max(counts) <= 1


def test_who_waits_too_long_leaves() -> None:
    class Tired(Exception):
        pass

    def go_on() -> None:
        raise Tired

    with (
        closing(open_store("sqlite://")) as store,
        store.exclusive("parent"),
        pytest.raises(Tired),
        once_among_all(store, "parent", lambda: False, go_on),
    ):
        pass
