"""Architectures name the residual bottlenecks that they leave out; none did before.

Frozen, as 0001 is.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; its default also serves workers of the version before, which may still be at work."""
    column = sa.Column("dropped", sa.JSON, nullable=False, server_default=sa.text("'[]'"))
    op.add_column("yolofront_architectures", column)
