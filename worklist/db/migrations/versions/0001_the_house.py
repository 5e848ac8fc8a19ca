"""The first schema: what cannot be added later without a rewrite is laid here.

The tables are frozen in `0001_tables.sql`, their laws (functions, triggers, row-level security,
grants, month partitions) in `0001_laws.sql`.
"""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

HERE = Path(__file__).parent


def upgrade() -> None:
    """Create everything."""
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    for name in ("0001_tables.sql", "0001_laws.sql"):
        connection.execute((HERE / name).read_text())  # the driver's own: no parameters, many statements


def downgrade() -> None:
    """Refuse: facts are never migrated away; restore a backup instead."""
    raise RuntimeError("radpool's migrations go forward only; restore a backup to go back")
