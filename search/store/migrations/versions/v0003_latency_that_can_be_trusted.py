"""A latency keeps its shape, percentiles, circumstances and raw blocks; a figure may be predicted; confirmations.

Frozen, as 0001 is. All that is new may be missing, so that workers of the version before may still be at work.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add columns to the tables there are, and the tables of confirmations."""
    for table in ("measurements", "latencies"):
        predicted = sa.Column("predicted", sa.Boolean, nullable=False, server_default=sa.false())
        op.add_column(f"yolofront_{table}", predicted)
    _add("targets", contended=sa.Boolean, circumstances=sa.JSON)
    _add("latencies", parent=sa.String, widths=sa.JSON, dropped=sa.JSON, imgsz=sa.BigInteger)
    _add("latencies", **dict.fromkeys(("p50_ms", "p90_ms", "p99_ms"), sa.Double))
    _add("latencies", **dict.fromkeys(("spread", "reference_ms", "other_ratio"), sa.Double))
    _add("latencies", circumstances=sa.JSON, blocks=sa.LargeBinary)
    op.create_index("ix_yolofront_latencies_target_key", "yolofront_latencies", ["target_key"])
    _confirmations()
    _members()


def _add(table: str, **columns: type[sa.types.TypeEngine[Any]]) -> None:
    for name, kind in columns.items():
        op.add_column(f"yolofront_{table}", sa.Column(name, kind, nullable=True))


def _confirmations() -> None:
    table = "yolofront_confirmations"
    op.create_table(
        table,
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("study_id", BIG_ID, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("target_key", sa.String, nullable=False),
        sa.Column("clock", sa.String, nullable=False),
        sa.Column("circumstances", sa.JSON, nullable=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        sa.ForeignKeyConstraint(["study_id"], ["yolofront_studies.id"], name=f"fk_{table}_study_id"),
        sa.UniqueConstraint("study_id", "sequence", name=f"uq_{table}_study_id_sequence"),
    )


def _members() -> None:
    table = "yolofront_confirmation_members"
    figures = [sa.Column(name, sa.Double, nullable=False) for name in ("value", "low", "high", "ratio")]
    op.create_table(
        table,
        sa.Column("confirmation_id", BIG_ID, nullable=False, autoincrement=False),
        sa.Column("position", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("record_id", BIG_ID, nullable=False),
        *figures,
        sa.Column("runs", sa.BigInteger, nullable=False),
        sa.Column("ties", sa.JSON, nullable=False),
        sa.Column("samples", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("confirmation_id", "position", name=f"pk_{table}"),
        sa.ForeignKeyConstraint(
            ["confirmation_id"], ["yolofront_confirmations.id"], name=f"fk_{table}_confirmation_id"
        ),
        sa.ForeignKeyConstraint(["record_id"], ["yolofront_records.id"], name=f"fk_{table}_record_id"),
    )
