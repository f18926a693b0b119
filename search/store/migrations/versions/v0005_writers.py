"""Each writer leaves the key of its last transaction, so that a commit without an answer can be recognised.

Frozen, as 0001 is. It is a table of its own, so that workers of the version before may still be at work.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table of writers."""
    op.create_table(
        "yolofront_writers",
        sa.Column("writer", sa.String, nullable=False),
        sa.Column("last", sa.String, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("writer", name="pk_yolofront_writers"),
    )
