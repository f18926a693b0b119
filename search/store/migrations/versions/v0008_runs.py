"""Every run of a study is registered, with its job, its node and what it does.

Frozen, as 0001 is.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table of runs."""
    op.create_table(
        "yolofront_runs",
        sa.Column("study", sa.String, nullable=False),
        sa.Column("generation", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("host", sa.String, nullable=False),
        sa.Column("pid", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("started", sa.Double, nullable=False),
        sa.Column("system", sa.String, nullable=False),
        sa.Column("job", sa.String, nullable=False),
        sa.Column("restarts", sa.BigInteger, nullable=False),
        sa.Column("node", sa.String, nullable=False),
        sa.Column("device", sa.String, nullable=False),
        sa.Column("gpus", sa.BigInteger, nullable=False),
        sa.Column("gpu_hours", sa.Double, nullable=True),
        sa.Column("doing", sa.JSON, nullable=False),
        sa.Column("progress_s", sa.Double, nullable=False),
        sa.Column("why", sa.String, nullable=False),
        sa.Column("began", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("study", "generation", "host", "pid", "started", name="pk_yolofront_runs"),
    )
