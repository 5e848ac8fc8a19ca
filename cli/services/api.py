"""The HTTP process: the API on a bound, listening socket."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from api.app import make_app
from api.pacs_calls import PacsCalls
from cli.running import Given, service
from cli.tls import client_context


def run(given: Given) -> None:
    """Serve until asked to end; requests in hand are finished first."""
    settings = given.settings
    with service("api", given, pool_size=48) as running:
        app = make_app(
            running.engine,
            running.driver_url,
            redis_url=settings.redis_url,
            lease_seconds=settings.lease_seconds,
            quiet_seconds=settings.quiet_seconds,
            pacs_calls=PacsCalls(
                settings.ae_title or "RADPOOL", client_context(*settings.dicom_tls) if settings.dicom_tls else None
            ),
        )
        _serve(app, given.sockets["http"], settings.log_level, running.stop)


def _serve(app: FastAPI, listening_socket: socket.socket, log_level: str, stop: threading.Event) -> None:
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level=log_level.lower(),
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
        limit_concurrency=2000,
        h11_max_incomplete_event_size=65536,
    )
    server = _Server(config)

    def end_with_parent() -> None:
        stop.wait()
        app.state.follower.stop()  # open streams would hold the end up
        server.should_exit = True

    threading.Thread(target=end_with_parent, name="stopper", daemon=True).start()
    server.run(sockets=[listening_socket])


class _Server(uvicorn.Server):
    """Leaves the signals to `stop_event`, so that open streams hear of the end before the server waits for them."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield
