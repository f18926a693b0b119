"""Column types and the database's own clock, the same on SQLite and PostgreSQL.

The types are where the promise "non-finite values do not exist" is kept: no figure reaches a table around them.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Double, Integer
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.types import TypeDecorator

Json = JSON
"""Text on both (not JSONB), so that keys keep their order and figures their digits."""

BigId = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only in a column called INTEGER."""


class FiniteFloat(TypeDecorator[float]):
    """A double; NaN and infinity are refused with `ValueError`."""

    impl = Double
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Dialect) -> float | None:
        """Check, and make a plain float of NumPy's."""
        if value is None:
            return None
        if not math.isfinite(value):
            raise ValueError(f"a figure to be stored is {value}; only finite values are recorded")
        return float(value)


class Whole(TypeDecorator[int]):
    """A whole number; NumPy's become plain (SQLite would store their bytes)."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:
        """Make a plain int."""
        return None if value is None else int(value)


class UtcTime(TypeDecorator[datetime]):
    """A moment: `timestamptz` on PostgreSQL, UTC text on SQLite; always timezone-aware in Python."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC; refuse a time without a zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"time {value.isoformat()} has no time zone; give one, such as datetime.now(UTC)")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """SQLite returns naive times; they are UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class database_now(GenericFunction[datetime]):
    """The moment by the database's clock, advancing within a transaction."""

    type = UtcTime()
    inherit_cache = True


class seconds_since(GenericFunction[float]):
    """Seconds between a stored moment and now, both by the database's clock."""

    type = FiniteFloat()
    inherit_cache = True


@compiles(database_now, "sqlite")
def _now_sqlite(element: database_now, compiler: SQLCompiler, **options: Any) -> str:
    return "strftime('%Y-%m-%d %H:%M:%f000', 'now')"  # milliseconds, written as the microseconds that are read back


@compiles(database_now, "postgresql")
def _now_postgresql(element: database_now, compiler: SQLCompiler, **options: Any) -> str:
    return "clock_timestamp()"


@compiles(seconds_since, "sqlite")
def _since_sqlite(element: seconds_since, compiler: SQLCompiler, **options: Any) -> str:
    return f"((julianday('now') - julianday({compiler.process(element.clauses, **options)})) * 86400.0)"


@compiles(seconds_since, "postgresql")
def _since_postgresql(element: seconds_since, compiler: SQLCompiler, **options: Any) -> str:
    return f"extract(epoch FROM clock_timestamp() - {compiler.process(element.clauses, **options)})::float8"
