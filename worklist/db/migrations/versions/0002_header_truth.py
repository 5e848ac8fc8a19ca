"""What the headers of a study state, with its provenance: values that contradict each other are kept.

The tables are changed in `0002_header_truth.sql`, their laws are in `0002_laws.sql`.
"""

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

HERE = Path(__file__).parent


def upgrade() -> None:
    """Keep what headers state; what was received before counts as stated as it was taken."""
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    for name in ("0002_header_truth.sql", "0002_laws.sql"):
        connection.execute((HERE / name).read_text())  # the driver's own: no parameters, many statements


def downgrade() -> None:
    """Refuse: facts are never migrated away; restore a backup instead."""
    raise RuntimeError("radpool's migrations go forward only; restore a backup to go back")
