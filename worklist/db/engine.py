"""Engines and transactions: how code reaches the database, and as whom; holds no statement of any use case."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, create_engine, make_url, text

from worklist.viewer import Viewer

__all__ = ["Viewer", "make_engine", "transaction", "view_as"]

#: A host that takes the connection and says nothing is given up after this long.
_CONNECT_SECONDS = 10


def make_engine(url: str, *, pool_size: int = 10, role: str | None = None) -> Engine:
    """Make an engine for a `postgresql://` URL.

    With `role`, every connection becomes that role at once: so a server given one database URL
    still does its work as the application role, under row-level security.
    """
    options = f"-c role={role}" if role else ""
    address = make_url(url).set(drivername="postgresql+psycopg")
    connect_args: dict[str, object] = {"application_name": "radpool", "connect_timeout": _CONNECT_SECONDS}
    if options:
        connect_args["options"] = options
    return create_engine(
        address,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=30,
        pool_pre_ping=True,
        pool_use_lifo=True,
        hide_parameters=True,
        connect_args=connect_args,
    )


@contextmanager
def transaction(engine: Engine, viewer: Viewer | None = None) -> Iterator[Connection]:
    """Open one transaction, seeing identities as `viewer` (None: nobody's); commits at the end."""
    with engine.begin() as connection:
        if viewer is not None:
            view_as(connection, viewer)
        yield connection


def view_as(connection: Connection, viewer: Viewer) -> None:
    """Set for whom the running transaction reads identities, until it ends."""
    connection.execute(
        _VIEW_AS,
        {
            "trust": viewer.trust or "",
            "reporter": "" if viewer.reporter_id is None else str(viewer.reporter_id),
            "network": "on" if viewer.network_wide else "",
        },
    )


_VIEW_AS = text(
    "SELECT set_config('radpool.trust', :trust, true), set_config('radpool.reporter', :reporter, true),"
    " set_config('radpool.network', :network, true)"
)
