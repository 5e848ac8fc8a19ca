"""Alembic's environment: runs migrations on the connection that `worklist.db.migrate` hands over."""

from alembic import context

from worklist.db.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
