"""Exclusion flags are yes, no or not known; rules and people tell them, and what is not known closes a limited scope.

The change is frozen in `0021_tables.sql` and `0021_laws.sql`. Flags of before are kept; none was known not to be so.
"""

from pathlib import Path

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

HERE = Path(__file__).parent


def upgrade() -> None:
    """Add the tables and columns, and have the index of eligibility made anew."""
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    for name in ("0021_tables.sql", "0021_laws.sql"):
        connection.execute((HERE / name).read_text())  # the driver's own: many statements


def downgrade() -> None:
    """Refuse: facts are never migrated away; restore a backup instead."""
    raise RuntimeError("radpool's migrations go forward only; restore a backup to go back")
