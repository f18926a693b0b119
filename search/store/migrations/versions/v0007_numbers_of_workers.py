"""Every worker of a study has a number of its own, on all machines.

Frozen, as 0001 is.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table of workers."""
    op.create_table(
        "yolofront_workers",
        sa.Column("study", sa.String, nullable=False),
        sa.Column("generation", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("number", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("host", sa.String, nullable=False),
        sa.Column("pid", sa.BigInteger, nullable=False),
        sa.Column("started", sa.Double, nullable=False),
        sa.Column("joined", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_free", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("study", "generation", "number", name="pk_yolofront_workers"),
    )
