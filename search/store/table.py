"""What all our tables share: the prefix of their names, the names of their constraints, their column types."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from sqlalchemy import Boolean, LargeBinary, MetaData, String
from sqlalchemy.orm import DeclarativeBase, mapped_column

from search.store.columns import BigId, FiniteFloat, Json, UtcTime, Whole, database_now

PREFIX = "yolofront_"
Id = Annotated[int, mapped_column(BigId, primary_key=True)]
Moment = Annotated[datetime, mapped_column(UtcTime, default=database_now())]
Plain = Annotated[Any, mapped_column(Json, nullable=False)]  # lists, mappings, texts, numbers


class Table(DeclarativeBase):
    """What all tables share."""

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
