"""Many workers that start at once on one PostgreSQL, and trials without training: what the database has to bear."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection

import psycopg

from benchmarks.serving.costs import MadeTrials
from benchmarks.serving.made_study import MADE_NAME, MadeStudy
from search.sampler.tables.first_worker import sampler_tables
from search.store.outage.among_all import once_among_all
from search.store.sql import open_store
from search.work.worker import Worker

COUNT_CONNECTIONS_S = 0.02
HERD_WITHIN_S = 600.0
FORKS = multiprocessing.get_context("fork")


def herd(made: MadeStudy, workers: int) -> dict[str, object]:
    """Let processes join an empty database at once, as workers do. Return seconds, errors and connections.

    They are forks of this process, which has joined another database before: the time is that of the database and not
    of imports, for which each worker of a cluster has a core of its own.
    """
    with tempfile.TemporaryDirectory() as folder:
        _join(0, replace(made, url=f"sqlite:///{folder}/another.db"))
    with counted_connections(made.url) as counts:
        found = _as_processes(_join, made, count=workers)
    seconds = sorted(each for each in found if isinstance(each, float))
    if not seconds:
        raise RuntimeError(f"no worker could join: {found[0]}")
    return {
        "workers": workers,
        "errors": workers - len(seconds),
        "first_error": next((each for each in found if isinstance(each, str)), ""),
        "median_s": seconds[len(seconds) // 2],
        "last_s": seconds[-1],
        "connections": max(counts),
    }


def service_rate(made: MadeStudy, workers: int, trials: int) -> dict[str, float]:
    """Let processes run trials that train nothing. Return the trials a second, from the first one's start."""
    with closing(open_store(made.url)) as store:
        study = made.begin(store)
        made.optuna()
    begun = time.monotonic()
    errors = [each for each in _as_processes(_work, made, trials, count=workers) if isinstance(each, str)]
    if errors:
        raise RuntimeError(f"a worker failed: {errors[0]}")
    seconds = time.monotonic() - begun
    with closing(open_store(made.url)) as store:
        stored = store.counted(study)
    return {"workers": workers, "trials": stored, "per_s": stored / seconds}


def _join(index: int, made: MadeStudy) -> float:
    begun = time.monotonic()
    with closing(open_store(made.url)) as store:
        name = f"open {MADE_NAME}"
        with once_among_all(store, name, lambda: store.latest_study(MADE_NAME) is not None) as is_mine:
            if is_mine:
                made.begin(store)
        study = store.latest_study(MADE_NAME)
        if study is None:
            raise RuntimeError("the study is not there")
        with sampler_tables(store, study, index):
            optuna = made.optuna()
            optuna.rest()
        worker = Worker(store, study, optuna, MadeTrials(made, store), n_trials=0, deadline=None, say=lambda _: None)
        worker.reconcile()
        worker.settle()
    return time.monotonic() - begun


def _work(index: int, made: MadeStudy, trials: int) -> float:
    begun = time.monotonic()
    made.chance.seed(index)
    with closing(open_store(made.url)) as store:
        study = store.latest_study(MADE_NAME)
        if study is None:
            raise RuntimeError("the study is not there")
        with sampler_tables(store, study, index):
            optuna = made.optuna()
        trials_of = MadeTrials(made, store)
        Worker(store, study, optuna, trials_of, n_trials=trials, deadline=None, say=lambda _: None).work()
    return time.monotonic() - begun


def _as_processes(work: Callable[..., float], *arguments: object, count: int) -> list[float | str]:
    """Call `work(index, *arguments)` in forks at the same time. Return a result or an error of each."""
    ends = [FORKS.Pipe(duplex=False) for _ in range(count)]
    processes = [
        FORKS.Process(target=_tell, args=(there, work, index, *arguments)) for index, (_, there) in enumerate(ends)
    ]
    for process in processes:
        process.start()
    told = [here.recv() if here.poll(HERD_WITHIN_S) else f"no answer within {HERD_WITHIN_S:.0f} s" for here, _ in ends]
    for process in processes:
        process.join()
    return told


def _tell(there: Connection, work: Callable[..., float], *arguments: object) -> None:
    try:
        there.send(work(*arguments))
    except Exception as error:  # it is a figure of the benchmark
        there.send(f"{type(error).__name__}: {error}")


@contextmanager
def counted_connections(url: str) -> Iterator[list[int]]:
    """Count the connections to a database, other than that which counts, while the block runs."""
    counts: list[int] = []
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"

    def count(connection: psycopg.Connection[tuple[int]]) -> None:
        while not is_over:
            row = connection.execute(others).fetchone()
            counts.append(0 if row is None else row[0])
            time.sleep(COUNT_CONNECTIONS_S)

    is_over: list[bool] = []
    plain = url.replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(plain, autocommit=True) as connection, ThreadPoolExecutor(1) as pool:
        counting: Future[None] = pool.submit(count, connection)
        try:
            yield counts
        finally:
            is_over.append(True)
            counting.result()
