"""The base of all tables and the types of their columns; the database's own clock. The same on SQLite and PostgreSQL.

The types keep the promise "non-finite values do not exist": every number goes through them on its way to a table.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Annotated, Any

from sqlalchemy import JSON, BigInteger, Boolean, DateTime, Dialect, Double, Integer, LargeBinary, MetaData, String
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, mapped_column
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.types import TypeDecorator

Json = JSON
"""JSON column, as text on both databases (not JSONB): keys keep their order and figures their digits."""

BigId = BigInteger().with_variant(Integer, "sqlite")
"""Type of row numbers: SQLite assigns them by itself only in a column called INTEGER."""


class FiniteFloat(TypeDecorator[float]):
    """Double column; NaN and infinity are refused with `ValueError`."""

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
    """Column of whole numbers; NumPy's become plain (SQLite would store their bytes)."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:
        """Make a plain int."""
        return None if value is None else int(value)


class UtcTime(TypeDecorator[datetime]):
    """Time column: `timestamptz` on PostgreSQL, UTC text on SQLite; always timezone-aware in Python."""

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
        """Add the time zone: SQLite returns naive times in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class database_now(GenericFunction[datetime]):
    """Time of the database's clock; it advances within a transaction."""

    type = UtcTime()
    inherit_cache = True


class seconds_since(GenericFunction[float]):
    """Seconds between a stored time and now, both by the database's clock."""

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


PREFIX = "yolofront_"
Id = Annotated[int, mapped_column(BigId, primary_key=True)]
Moment = Annotated[datetime, mapped_column(UtcTime, default=database_now())]
Plain = Annotated[Any, mapped_column(Json, nullable=False)]  # lists, mappings, texts, numbers


class Table(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 (read by SQLAlchemy as it stands)
        int: Whole,
        float: FiniteFloat,
        str: String,
        bytes: LargeBinary,
        bool: Boolean,
        datetime: UtcTime,
    }
