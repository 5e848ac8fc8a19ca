"""Whom a RIS's messages are believed from, and whether it takes ours over TLS.

The columns are frozen in `0016_tables.sql`.
"""

from pathlib import Path

from alembic import op

revision = "0016"
down_revision = "0013"
branch_labels = None
depends_on = None

HERE = Path(__file__).parent


def upgrade() -> None:
    """Add the columns."""
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    connection.execute((HERE / "0016_tables.sql").read_text())  # the driver's own: no parameters, many statements


def downgrade() -> None:
    """Refuse: facts are never migrated away; restore a backup instead."""
    raise RuntimeError("radpool's migrations go forward only; restore a backup to go back")
