"""The schema that migrations make is the schema that the metadata says."""

import subprocess
from pathlib import Path

from sqlalchemy import text

from tests.conftest import Database
from worklist.db import embedded
from worklist.db.engine import make_engine
from worklist.db.migrate import ddl

VERSIONS = Path(__file__).parents[3] / "worklist" / "db" / "migrations" / "versions"


def test_the_migrated_schema_is_the_schema_of_the_metadata(cluster: embedded.Cluster, empty: Database) -> None:
    embedded.clone_database(cluster, "template1", "from_metadata")
    try:
        superuser = make_engine(cluster.url("superuser", "from_metadata"))
        with superuser.begin() as connection:
            connection.execute(text("ALTER DATABASE from_metadata OWNER TO radpool_owner"))
        superuser.dispose()
        engine = make_engine(cluster.url("owner", "from_metadata"))
        with engine.begin() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None
            driver.execute(";\n".join(ddl()))
            for laws in sorted(VERSIONS.glob("*_laws.sql")):
                driver.execute(laws.read_text())
        engine.dispose()
        fresh = _schema(cluster.url("superuser", "from_metadata"))
        migrated = _schema(cluster.url("superuser", empty.app.url.database or ""))
        assert migrated == fresh
    finally:
        embedded.drop_database(cluster, "from_metadata")


def _schema(url: str) -> list[str]:
    dump = subprocess.run(
        [embedded.binary("pg_dump"), "--schema-only", "--no-comments", "--exclude-table=alembic_version", url],
        capture_output=True,
        text=True,
        check=True,
        env=embedded.environment(),
    ).stdout
    # Names of partitions carry the month; statements may stand in another order.
    noise = ("--", "\\", "SET ", "SELECT ")
    lines = [line for line in dump.splitlines() if line and not line.startswith(noise)]
    return sorted(lines)
