"""Patients as the home RIS states them: each statement with its time, and merges that keep their history.

The table is frozen in `0006_tables.sql`, its laws in `0006_laws.sql`.
"""

from pathlib import Path

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

HERE = Path(__file__).parent


def upgrade() -> None:
    """Add the table and the columns."""
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    for name in ("0006_tables.sql", "0006_laws.sql"):
        connection.execute((HERE / name).read_text())  # the driver's own: no parameters, many statements


def downgrade() -> None:
    """Refuse: facts are never migrated away; restore a backup instead."""
    raise RuntimeError("radpool's migrations go forward only; restore a backup to go back")
