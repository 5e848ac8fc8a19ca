"""Where a source takes our associations, and when it was last asked about whole days."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    words = "Where it takes our associations, and when it may be asked of days."
    op.add_column("source", sa.Column("query", JSONB(none_as_null=True), comment=words))
    swept = sa.Column("swept_at", sa.DateTime(timezone=True), comment="When it was last asked about whole days.")
    op.add_column("source", swept)


def downgrade() -> None:
    """Refuse: facts are never migrated away; restore a backup instead."""
    raise RuntimeError("radpool's migrations go forward only; restore a backup to go back")
