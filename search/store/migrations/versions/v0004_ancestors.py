"""A record names the networks that its weights were trained as before.

Frozen, as 0001 is. The column may be empty, so that workers of the version before may still be at work.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column of ancestors."""
    op.add_column("yolofront_records", sa.Column("ancestors", sa.JSON, nullable=True))
