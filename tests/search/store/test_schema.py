from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, insert, select, text

from objectives.base import EpochResult
from search.store.base import Store, StoreError
from search.store.columns import PREFIX, Table
from search.store.database import Database
from search.store.entries import LatencyEntry, TargetEntry
from search.store.migrations import migrate
from search.store.sql import open_store
from search.store.url import parse
from tests.search.store.contract_latencies import ENTRY, LATENCY, QUIET, as_stored
from tests.search.store.examples import add_trial, begin, new_study, record_of, reference_of


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/a.db"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """The tables as the store made them, for a look from outside."""
    open_store(url).close()
    opened = Database(parse(url))
    yield opened
    opened.close()


def test_the_migrations_make_the_tables_that_the_models_describe(database: Database) -> None:
    with database.read() as connection:
        options = {
            "version_table": migrate.VERSION_TABLE,
            "compare_type": True,
            "include_name": lambda name, kind, _: kind != "table" or str(name).startswith(PREFIX),
        }
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Table.metadata) == []


def test_all_tables_bear_our_prefix() -> None:
    assert all(name.startswith(PREFIX) for name in [*Table.metadata.tables, migrate.VERSION_TABLE])


def test_the_newest_revision_is_the_one_that_the_code_compares_with() -> None:
    scripts = ScriptDirectory(str(Path(migrate.__file__).parent))
    assert scripts.get_heads() == [migrate.HEAD]


def test_a_schema_newer_than_the_code_is_refused_by_name(url: str, database: Database) -> None:
    with database.write() as connection:
        connection.execute(text(f"UPDATE {migrate.VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(StoreError, match=r"schema is '9999', which is newer than this version knows \('0008'\)"):
        open_store(url)


def written_by(revision: str, url: str, folder: Path, fill: Callable[[Store], None]) -> None:
    """A database as the version of that revision left it: what `fill` writes, in the columns that there were then."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(migrate, "HEAD", revision)
        open_store(url).close()
    new = f"sqlite:///{folder}/new.db"
    store = open_store(new)
    fill(store)
    store.close()
    databases = Database(parse(new)), Database(parse(url))
    with databases[0].read() as source, databases[1].write() as connection:
        old = MetaData()
        old.reflect(connection)
        for table in Table.metadata.sorted_tables:
            if table.name not in old.tables:
                continue
            columns = old.tables[table.name].c
            # Numbered anew, from 1 in the same order: so PostgreSQL's own counters are right for the rows to come.
            kept = [column for column in table.c if column.name in columns and column.name != "id"]
            rows = [dict(row) for row in source.execute(select(*kept).order_by(*table.primary_key)).mappings()]
            if rows:
                connection.execute(insert(old.tables[table.name]), rows)
    for database in databases:
        database.close()


def test_records_from_before_bottlenecks_could_be_dropped_are_kept_and_say_that_none_is(
    url: str, tmp_path: Path
) -> None:
    record = record_of(0)
    assert record.spec is not None and not record.spec.dropped
    written_by("0001", url, tmp_path, lambda store: add_trial(store, new_study(store), record))
    store = open_store(url)
    (study,) = store.studies()
    assert store.records(study, curves=True) == (record,)
    shallow = record_of(1, spec=replace(record.spec, dropped=("model.4.m.1", "model.6.m.0")))
    add_trial(store, study, shallow)
    assert store.records(study, curves=True) == (record, shallow)
    store.close()


def test_latencies_from_before_shapes_were_kept_are_measured_ones_that_still_count(url: str, tmp_path: Path) -> None:
    def fill(store: Store) -> None:
        add_trial(store, new_study(store), record_of(0))
        store.add_target(TargetEntry("cpu", {"threads": 1}, 12.5, True, QUIET))
        store.add_latency(ENTRY)

    written_by("0002", url, tmp_path, fill)
    store = open_store(url)
    (study,) = store.studies()
    assert store.records(study, curves=True) == (record_of(0),)
    assert store.target("cpu") == TargetEntry("cpu", {"threads": 1}, 12.5)
    only = LatencyEntry("shape", "cpu", LATENCY, ENTRY.samples_ms)
    assert [as_stored(entry) for entry in store.latencies("cpu", blocks=True)] == [only]
    assert as_stored(store.latency("shape", "cpu")) == only
    store.add_latency(ENTRY)
    assert [entry.shape for entry in store.latencies("cpu")] == [None, ENTRY.shape]
    store.close()


def test_a_worker_of_the_version_before_may_go_on_writing(url: str, database: Database) -> None:
    """It knows none of the new columns; what it writes is as good as before."""
    with database.write() as connection:
        connection.execute(
            text(f"""
            INSERT INTO {PREFIX}latencies (shape_key, target_key, name, value, unit, runs, samples_ms, at)
            VALUES ('shape', 'cpu', 'latency_ms', 5.0, 'ms', 3, '[5.0]', CURRENT_TIMESTAMP)
        """)
        )
    store = open_store(url)
    found = store.latency("shape", "cpu")
    assert found is not None and (found.measurement.value, found.measurement.predicted) == (5.0, False)
    store.close()


def test_tables_of_others_are_left_alone(url: str) -> None:
    before = Database(parse(url))
    before.prepare()
    with before.write() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))  # Optuna's
        connection.execute(text("INSERT INTO alembic_version VALUES ('v3.2.0.a')"))
    open_store(url).close()
    open_store(url).close()
    with before.read() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).all() == [("v3.2.0.a",)]
    before.close()


def test_the_front_after_20_trials_is_a_query(url: str, database: Database) -> None:
    store = open_store(url)
    study = new_study(store)
    store.add(study, reference_of("parent", 0.05, 2.0), None)  # fast and poor: stays on the front
    for number in range(22):  # each beats the one before
        add_trial(store, study, record_of(number, 0.3 + number / 100, 10.0))
    query = """
        SELECT r.name FROM yolofront_front_members m JOIN yolofront_records r ON r.id = m.record_id
        WHERE m.front_id = (SELECT id FROM yolofront_fronts WHERE study_id = 1 AND after <= 20
                            ORDER BY sequence DESC LIMIT 1) ORDER BY m.position
    """
    with database.read() as connection:
        names = tuple(connection.execute(text(query)).scalars())
    front = [entry for entry in store.fronts(study) if entry.after <= 20][-1]
    assert names == front.members == ("parent", "trial 19")
    store.close()


def test_an_architecture_is_stored_once_however_many_records_have_it(url: str, database: Database) -> None:
    store = open_store(url)
    study = new_study(store)
    spec = record_of(0).spec
    for number in range(3):
        add_trial(store, study, record_of(number, spec=spec))
    store.add(study, reference_of("parent", spec=spec), None)
    with database.read() as connection:
        for table in ("architectures", "layouts", "origins"):
            assert connection.execute(text(f"SELECT count(*) FROM {PREFIX}{table}")).scalar() == 1
    store.close()


def test_a_learning_curve_is_reported_point_by_point_until_the_record_replaces_it(url: str, database: Database) -> None:
    store = open_store(url)
    study = new_study(store)
    attempt = begin(store, study, 0)
    for epoch, loss in [(1, 3.0), (2, 2.0), (1, 2.5)]:  # the first epoch again: a later try
        store.report(attempt, EpochResult(epoch, 0.1, 0.2, loss, 1.0))
    curve = text(f"SELECT epoch, loss FROM {PREFIX}reports ORDER BY epoch")
    with database.read() as connection:
        assert connection.execute(curve).all() == [(1, 2.5), (2, 2.0)]
    store.add(study, record_of(0), attempt)
    with database.read() as connection:
        assert connection.execute(curve).all() == []
    assert store.records(study)[0].rungs == record_of(0).rungs
    store.close()


def test_raw_latency_samples_are_kept(url: str, database: Database) -> None:
    store = open_store(url)
    for samples in ((10.0, 10.25), (9.75,)):
        store.add_latency(LatencyEntry("shape", "cpu", LATENCY, samples))
    with database.read() as connection:
        rows = connection.execute(text(f"SELECT samples_ms FROM {PREFIX}latencies ORDER BY id")).scalars().all()
    stored = [row if isinstance(row, list) else [float(part) for part in row.strip("[]").split(",")] for row in rows]
    assert stored == [[10.0, 10.25], [9.75]]
    store.close()


def test_sqlite_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    database = Database(parse(f"sqlite:///{tmp_path}/a.db"))
    open_store(f"sqlite:///{tmp_path}/a.db").close()
    with database.read() as connection:
        settings = [connection.execute(text(f"PRAGMA {name}")).scalar() for name in ("synchronous", "foreign_keys")]
    database.close()
    assert settings == [2, 1]  # FULL, on
    with sqlite3.connect(tmp_path / "a.db") as raw:
        assert raw.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_database_made_without_write_ahead_log_is_switched_to_it(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "a.db") as raw:
        raw.execute("CREATE TABLE of_somebody_else (id INTEGER)")
    open_store(f"sqlite:///{tmp_path}/a.db").close()
    with sqlite3.connect(tmp_path / "a.db") as raw:
        assert raw.execute("PRAGMA journal_mode").fetchone() == ("wal",)
