"""Orders field by field, and whose a study is.

The tables are frozen in `0012_tables.sql`, what was known before is brought along in `0012_laws.sql`.
"""

from pathlib import Path

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

HERE = Path(__file__).parent


def upgrade() -> None:
    """Change the tables."""
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    for name in ("0012_tables.sql", "0012_laws.sql"):
        connection.execute((HERE / name).read_text())  # the driver's own: no parameters, many statements


def downgrade() -> None:
    """Refuse: facts are never migrated away; restore a backup instead."""
    raise RuntimeError("radpool's migrations go forward only; restore a backup to go back")
