"""What home RIS are told, when a report is available at home, and pay that is held without a report.

The tables are frozen in `0009_tables.sql`, their laws in `0009_laws.sql`.
"""

from pathlib import Path

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

HERE = Path(__file__).parent


def upgrade() -> None:
    """Add the tables and columns; what was verified before counts as available since."""
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    for name in ("0009_tables.sql", "0009_laws.sql"):
        connection.execute((HERE / name).read_text())  # the driver's own: no parameters, many statements


def downgrade() -> None:
    """Refuse: facts are never migrated away; restore a backup instead."""
    raise RuntimeError("radpool's migrations go forward only; restore a backup to go back")
