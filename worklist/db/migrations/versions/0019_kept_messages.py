"""Messages that were kept out, to be taken again when they may be of their accession's patient.

The table is frozen in `0019_tables.sql`, who may see it in `0019_laws.sql`.
"""

from pathlib import Path

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

HERE = Path(__file__).parent


def upgrade() -> None:
    """Add the table."""
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    for name in ("0019_tables.sql", "0019_laws.sql"):
        connection.execute((HERE / name).read_text())  # the driver's own: no parameters, many statements


def downgrade() -> None:
    """Refuse: facts are never migrated away; restore a backup instead."""
    raise RuntimeError("radpool's migrations go forward only; restore a backup to go back")
