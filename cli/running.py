"""What one service of radpool runs on: what it was given, its engine and stop event, set up and taken down."""

from __future__ import annotations

import importlib
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from cli.data_folder import APP_ROLE, acting_as
from cli.process import Lifeline, configure_logs, stop_event
from cli.settings import Settings
from worklist.db.engine import make_engine
from worklist.db.migrate import SchemaOutOfDate, require_newest

log = structlog.get_logger(__name__)

#: Every service, in the order of starting.
SERVICES = ("sequencer", "allocator", "listener", "hl7", "api")


@dataclass(frozen=True, slots=True)
class Given:
    """What a service is given: by the supervisor, or by the command that runs it alone.

    `settings.database_url` says where the database is, and `app_role` which role to take on connecting, if the URL's
    own login is not the application's. `sockets` are bound and listen; they are named http, dicom, dicom_tls, hl7 and
    hl7_tls.
    """

    data: Path | None
    settings: Settings
    sockets: Mapping[str, socket.socket] = field(default_factory=dict)
    app_role: str | None = APP_ROLE
    lifeline: Lifeline | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """The means of one service; `driver_url` is for connections of the driver's own (LISTEN)."""

    engine: Engine
    driver_url: str
    stop: threading.Event


def service_of(name: str) -> Callable[[Given], None]:
    """Import a service, and give what runs it until it is asked to end."""
    run: Callable[[Given], None] = importlib.import_module(f"cli.services.{name}").run
    return run


@contextmanager
def service(name: str, given: Given, *, pool_size: int) -> Iterator[Running]:
    """Set a service up over a database with the newest schema, as the application role.

    Raises
    ------
    ValueError
        If no database URL was given.
    SchemaOutOfDate
        If the schema is not the newest.
    """
    configure_logs(given.settings.log_level, name)
    stop = stop_event()
    if given.lifeline is not None:
        given.lifeline.on_cut(stop.set)
    if given.settings.database_url is None:
        raise ValueError(
            f"`radpool serve {name}` runs over a database that is there: give --database-url or RADPOOL_DATABASE_URL"
            + (f" (radpool db-url --data {given.data})" if given.data else "")
        )
    url = given.settings.database_url.get_secret_value()
    engine = make_engine(url, pool_size=pool_size, role=given.app_role)
    try:
        with engine.connect() as connection:
            require_newest(connection)
        yield Running(engine, acting_as(url, given.app_role), stop)
    except (SchemaOutOfDate, OperationalError):
        raise
    except Exception as error:
        # What an error says may quote values; it is not for a log.
        log.exception("the service failed", service=name)
        raise SystemExit(1) from error
    finally:
        engine.dispose()
