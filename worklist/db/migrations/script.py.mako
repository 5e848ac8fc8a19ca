"""${message}."""

from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    ${upgrades if upgrades else "op.execute('')"}


def downgrade() -> None:
    """Refuse: facts are never migrated away; restore a backup instead."""
    raise RuntimeError("radpool's migrations go forward only; restore a backup to go back")
