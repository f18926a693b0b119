"""Cost of a trial for the database: few commits, however many parameters it has."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, event

from search.store.sql import open_store
from search.work.worker import Worker
from tests.search.work import quick_trials
from tests.search.work.quick_trials import QuickTrials

EPOCHS = 3


def test_a_trial_takes_five_commits_and_one_an_epoch(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'commits.db'}"
    study = quick_trials.begin_study(url)
    store, wrote, commits = open_store(url), set[int](), list[str]()
    optuna = quick_trials.optuna_study_of(url, study, seed=0)

    def note_statement(connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if statement.lstrip()[:6].upper() in ("INSERT", "UPDATE", "DELETE"):
            wrote.add(id(connection.connection.dbapi_connection))

    def note_commit(connection: Connection) -> None:
        raw = id(connection.connection.dbapi_connection)
        commits.extend(["commit"] * (raw in wrote))
        wrote.discard(raw)

    event.listen(Engine, "before_cursor_execute", note_statement)
    event.listen(Engine, "commit", note_commit)
    try:
        worker = Worker(store, study, optuna, QuickTrials(0.0), n_trials=3, deadline=None, say=lambda event: None)
        assert worker.work() == "done"
    finally:
        event.remove(Engine, "before_cursor_execute", note_statement)
        event.remove(Engine, "commit", note_commit)
    assert len(commits) <= 3 * (5 + EPOCHS) + 1  # the last one finds that there is nothing left to do
    assert optuna.unfinished() == ()
    store.close()
