"""Statements that the two dialects spell differently, and the lock of a study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from search.store.base import StoreError
from search.store.columns import Table
from search.store.models import StudyRow


def lock_study(connection: Connection, study_id: int) -> None:
    """Decide about a study alone, until the transaction ends.

    On SQLite every writing transaction is alone already. NO KEY UPDATE excludes itself, but not the rows of other
    tables that refer to the study.

    Raises:
        StoreError: If the study is not in this database.
    """
    statement = select(StudyRow.id).where(StudyRow.id == study_id).with_for_update(key_share=True)
    if connection.execute(statement).scalar_one_or_none() is None:
        raise StoreError(f"study number {study_id} is not in this database; was the database replaced?")


def insert_if_new(
    connection: Connection, table: type[Table], values: Mapping[str, Any] | Sequence[Mapping[str, Any]]
) -> None:
    """Insert rows whose key is not there yet; the first writer wins."""
    connection.execute(_insert(connection, table).on_conflict_do_nothing(), values)


def insert_numbered_if_new(connection: Connection, table: type[Table], values: Mapping[str, Any]) -> int | None:
    """Insert one row whose key is not there yet; its `id`, or None if somebody was first."""
    statement = _insert(connection, table).values(**values).on_conflict_do_nothing()
    return connection.execute(statement.returning(table.__table__.c.id)).scalar_one_or_none()


def insert_or_replace(connection: Connection, table: type[Table], values: Mapping[str, Any]) -> None:
    """Insert one row, or replace all but the key of the one that is there."""
    keys = [column.name for column in table.__table__.primary_key]
    statement = _insert(connection, table).values(**values)
    replaced = {name: statement.excluded[name] for name in values if name not in keys}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=replaced))


def insert_or_replace_if_other(
    connection: Connection, table: type[Table], values: Mapping[str, Any], *, other: str
) -> bool:
    """Insert one row, or replace the one that is there if its column `other` differs. Return whether it was written.

    It waits for a transaction that writes the same row at present, and sees what that one has written.
    """
    keys = [column.name for column in table.__table__.primary_key]
    statement = _insert(connection, table).values(**values)
    column = table.__table__.c[other]
    replacing = statement.on_conflict_do_update(
        index_elements=keys,
        set_={name: statement.excluded[name] for name in values if name not in keys},
        where=column != statement.excluded[other],
    )
    return connection.execute(replacing.returning(column)).scalar_one_or_none() is not None


def _insert(connection: Connection, table: type[Table]) -> sqlite.Insert | postgresql.Insert:
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)
