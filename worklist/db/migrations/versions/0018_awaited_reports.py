"""Finds verified reports that are not known to be available at home, without reading every item."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index."""
    awaited = sa.text("reported_at IS NULL AND verified_at IS NOT NULL")
    op.create_index("item_awaited_idx", "item", ["verified_at"], postgresql_where=awaited)


def downgrade() -> None:
    """Refuse: facts are never migrated away; restore a backup instead."""
    raise RuntimeError("radpool's migrations go forward only; restore a backup to go back")
