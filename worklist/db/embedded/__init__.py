"""A PostgreSQL 18 of our own under a data folder: start, adopt, stop, clone; knows no table of radpool."""

from worklist.db.embedded.cluster import Cluster, clone_database, drop_database
from worklist.db.embedded.error import EmbeddedPostgresError
from worklist.db.embedded.server import running, start, stop
from worklist.db.embedded.settings import binary, environment

__all__ = [
    "Cluster",
    "EmbeddedPostgresError",
    "binary",
    "clone_database",
    "drop_database",
    "environment",
    "running",
    "start",
    "stop",
]
