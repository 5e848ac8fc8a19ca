"""Brings a database to the newest schema, or says that it is not; never goes back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable, SetColumnComment, SetTableComment

from worklist.db.tables import metadata

#: Held while migrating, so that two servers starting at once migrate once.
_MIGRATION_LOCK = 7223001

_ROLES = """
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'radpool_owner') THEN
    CREATE ROLE radpool_owner NOLOGIN;
    EXECUTE format('GRANT radpool_owner TO %I', current_user);
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'radpool_app') THEN
    CREATE ROLE radpool_app NOLOGIN NOBYPASSRLS;
    EXECUTE format('GRANT radpool_app TO %I', current_user);
  END IF;
  IF NOT pg_has_role(current_user, 'radpool_owner', 'SET') THEN
    RAISE EXCEPTION 'the role % of the database URL may not become radpool_owner', current_user
      USING HINT = 'run radpool migrate once with a role that may create roles, or grant radpool_owner to it';
  END IF;
  EXECUTE format('GRANT CREATE ON DATABASE %I TO radpool_owner', current_database());
  GRANT CREATE, USAGE ON SCHEMA public TO radpool_owner WITH GRANT OPTION;
END $$
"""


class SchemaOutOfDate(RuntimeError):
    """The database's schema is not the newest; says which it is and how to mend it."""


def migrate(engine: Engine) -> str:
    """Bring the database of `engine` to the newest schema and give its revision.

    `engine` connects as `radpool_owner` or as a role that may become it.
    """
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _MIGRATION_LOCK})
        try:
            if connection.scalar(text("SELECT current_user")) != "radpool_owner":
                connection.execute(text(_ROLES))
                connection.execute(text("SET ROLE radpool_owner"))
            connection.commit()
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
        finally:
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _MIGRATION_LOCK})
            connection.commit()
    return newest_revision()


def revision_of(connection: Connection) -> str | None:
    """Give the schema revision that the database has; None for an empty one."""
    return MigrationContext.configure(connection).get_current_revision()


def newest_revision() -> str:
    """Give the revision that this version of radpool needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise SchemaOutOfDate("no migration is shipped")
    return head


def require_newest(connection: Connection) -> None:
    """Raise `SchemaOutOfDate` unless the database has the newest schema."""
    found, wanted = revision_of(connection), newest_revision()
    if found != wanted:
        raise SchemaOutOfDate(
            f"the database has schema {found or 'none'}, this radpool needs {wanted}; run `radpool migrate`"
        )


def ddl() -> Iterator[str]:
    """Give the statements that make the tables as the metadata has them, ready to be frozen in a migration."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    yield "CREATE SCHEMA IF NOT EXISTS audit"
    yield "SET LOCAL check_function_bodies = off"
    yield (
        "CREATE FUNCTION radpool_now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS\n"
        "$$ SELECT statement_timestamp() + (SELECT moved_by FROM public.test_clock) $$"
    )
    for table in metadata.sorted_tables:
        yield str(CreateTable(table).compile(dialect=dialect)).strip()
        if table.comment:
            yield str(SetTableComment(table).compile(dialect=dialect))
        for column in table.columns:
            if column.comment:
                yield str(SetColumnComment(column).compile(dialect=dialect))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            yield str(CreateIndex(index).compile(dialect=dialect)).strip()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config
