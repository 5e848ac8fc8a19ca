"""What orders that were made after a person's priority state, in place of whether one has outranked it.

The change is frozen in `0017_tables.sql`.
"""

from pathlib import Path

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

HERE = Path(__file__).parent


def upgrade() -> None:
    """Keep what was stated, from which the other follows."""
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    connection.execute((HERE / "0017_tables.sql").read_text())  # the driver's own: many statements


def downgrade() -> None:
    """Refuse: facts are never migrated away; restore a backup instead."""
    raise RuntimeError("radpool's migrations go forward only; restore a backup to go back")
