"""Words of those who skipped or referred stand with the item's acts, under row-level security, not with the claim.

The change is frozen in `0020_tables.sql`.
"""

from pathlib import Path

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

HERE = Path(__file__).parent


def upgrade() -> None:
    """Move the words."""
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    connection.execute((HERE / "0020_tables.sql").read_text())  # the driver's own: many statements


def downgrade() -> None:
    """Refuse: facts are never migrated away; restore a backup instead."""
    raise RuntimeError("radpool's migrations go forward only; restore a backup to go back")
