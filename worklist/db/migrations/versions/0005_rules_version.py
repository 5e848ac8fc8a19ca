"""One version for the rules that work is worked out by, so that they need not be read for each piece of work.

The table is frozen in `0005_tables.sql`, its laws in `0005_laws.sql`.
"""

from pathlib import Path

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

HERE = Path(__file__).parent


def upgrade() -> None:
    """Add the table and the triggers that renew it."""
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    for name in ("0005_tables.sql", "0005_laws.sql"):
        connection.execute((HERE / name).read_text())  # the driver's own: no parameters, many statements


def downgrade() -> None:
    """Refuse: facts are never migrated away; restore a backup instead."""
    raise RuntimeError("radpool's migrations go forward only; restore a backup to go back")
