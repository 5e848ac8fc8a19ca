"""What one service of radpool runs on: its engine, settings and stop event, set up and taken down."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from cli.data_folder import APP_ROLE, acting_as
from cli.process import configure_logs, stop_event
from cli.settings import Settings
from worklist.db.engine import make_engine
from worklist.db.migrate import SchemaOutOfDate, require_newest

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Running:
    """The means of one service; `driver_url` is for connections of the driver's own (LISTEN)."""

    engine: Engine
    driver_url: str
    settings: Settings
    stop: threading.Event


@contextmanager
def service(name: str, data: Path | None, settings: Settings, *, pool_size: int) -> Iterator[Running]:
    """Set a service up over a database with the newest schema, as the application role.

    Raises
    ------
    ValueError
        If no database URL was given.
    SchemaOutOfDate
        If the schema is not the newest.
    """
    configure_logs(settings.log_level, name)
    stop = stop_event()
    if settings.database_url is None:
        raise ValueError(
            f"`radpool serve {name}` runs over a database that is there: give --database-url or RADPOOL_DATABASE_URL"
            + (f" (radpool db-url --data {data})" if data else "")
        )
    url = settings.database_url.get_secret_value()
    # The supervisor says whether the URL is the application's own login; alone, the role is taken on connecting.
    role = os.environ.get("RADPOOL_APP_ROLE", APP_ROLE) or None
    engine = make_engine(url, pool_size=pool_size, role=role)
    try:
        with engine.connect() as connection:
            require_newest(connection)
        yield Running(engine, acting_as(url, role), settings, stop)
    except (SchemaOutOfDate, OperationalError):
        raise
    except Exception as error:
        # What an error says may quote values; it is not for a log.
        log.exception("the service failed", service=name)
        raise SystemExit(1) from error
    finally:
        engine.dispose()
