"""An attempt names what its workers died of.

Frozen, as 0001 is. The column may be empty, so that workers of the version before may still be at work.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column of deaths."""
    op.add_column("yolofront_attempts", sa.Column("deaths", sa.JSON, nullable=True))
