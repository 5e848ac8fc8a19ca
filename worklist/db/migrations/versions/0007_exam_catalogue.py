"""The exam catalogue with its past, a trust's own words dated and attributed, minutes as dated configuration.

The tables are frozen in `0007_tables.sql`, their laws in `0007_laws.sql`.
"""

from pathlib import Path

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

HERE = Path(__file__).parent


def upgrade() -> None:
    """Add the tables and columns, move what sources called exams under row-level security."""
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    for name in ("0007_tables.sql", "0007_laws.sql"):
        connection.execute((HERE / name).read_text())  # the driver's own: no parameters, many statements


def downgrade() -> None:
    """Refuse: facts are never migrated away; restore a backup instead."""
    raise RuntimeError("radpool's migrations go forward only; restore a backup to go back")
