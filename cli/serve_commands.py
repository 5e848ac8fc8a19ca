"""The commands `radpool serve ...`: everything on one machine, or one service of it."""

from __future__ import annotations

import socket
from typing import Annotated

import typer

from cli.options import Data, DatabaseUrl, Fd, RedisUrl, read_settings

serve_app = typer.Typer(
    help="Run the server: everything on one machine, or one service of it.", invoke_without_command=True
)


@serve_app.callback()
def serve(
    context: typer.Context,
    data: Data = None,
    http: Annotated[str, typer.Option(help="HOST:PORT of the API; port 0 takes a free one.")] = "127.0.0.1:8080",
    dicom: Annotated[str, typer.Option(help="HOST:PORT for DICOM.")] = "127.0.0.1:11112",
    hl7: Annotated[str, typer.Option(help="HOST:PORT for HL7 v2 over MLLP.")] = "127.0.0.1:2575",
    database_url: DatabaseUrl = None,
    redis_url: RedisUrl = None,
    test_clock: Annotated[bool, typer.Option("--test-clock", help="Let `radpool clock` move the time.")] = False,
) -> None:
    """Run the server: everything on one machine, or one service of it.

    When ready it prints one JSON line, also written to DIR/run.json: http, dicom, hl7, database_url, pid.
    """
    if context.invoked_subcommand is not None:
        return
    if data is None:
        raise typer.BadParameter("say where the data folder is", param_hint="--data")
    from cli.process import configure_logs, stop_event
    from cli.supervisor import Addresses, Supervisor

    settings = read_settings(database_url, redis_url)
    configure_logs(settings.log_level, "serve")
    supervisor = Supervisor(data.resolve(), Addresses(http, dicom, hl7), settings, test_clock, stop_event())
    raise typer.Exit(supervisor.run())


@serve_app.command("api")
def serve_api(
    data: Data = None,
    http: Annotated[str, typer.Option(help="HOST:PORT.")] = "127.0.0.1:8080",
    fd: Fd = None,
    database_url: DatabaseUrl = None,
    redis_url: RedisUrl = None,
) -> None:
    """Run the API alone."""
    from cli.running import service
    from cli.services import api

    with service("api", data, read_settings(database_url, redis_url), pool_size=48) as running:
        api.run(_socket(fd, http), running.engine, running.driver_url, running.settings, running.stop)


@serve_app.command("listener")
def serve_listener(
    data: Data = None,
    dicom: Annotated[str, typer.Option(help="HOST:PORT.")] = "127.0.0.1:11112",
    fd: Fd = None,
    database_url: DatabaseUrl = None,
    redis_url: RedisUrl = None,
) -> None:
    """Run the DICOM listener alone."""
    from cli.running import service
    from cli.services import listener

    with service("listener", data, read_settings(database_url, redis_url), pool_size=20) as running:
        listener.run(_socket(fd, dicom), running.engine, running.settings, running.stop)


@serve_app.command("hl7")
def serve_hl7(
    data: Data = None,
    hl7: Annotated[str, typer.Option(help="HOST:PORT.")] = "127.0.0.1:2575",
    fd: Fd = None,
    database_url: DatabaseUrl = None,
    redis_url: RedisUrl = None,
) -> None:
    """Run the HL7 listener alone."""
    from cli.running import service
    from cli.services import hl7 as hl7_service

    with service("hl7", data, read_settings(database_url, redis_url), pool_size=10) as running:
        hl7_service.run(_socket(fd, hl7), running.engine, running.stop)


@serve_app.command("allocator")
def serve_allocator(data: Data = None, database_url: DatabaseUrl = None, redis_url: RedisUrl = None) -> None:
    """Run the allocator alone; any number may stand by."""
    from cli.running import service
    from cli.services import allocator

    with service("allocator", data, read_settings(database_url, redis_url), pool_size=4) as running:
        allocator.run(running.engine, running.driver_url, running.settings, running.stop)


@serve_app.command("sequencer")
def serve_sequencer(data: Data = None, database_url: DatabaseUrl = None, redis_url: RedisUrl = None) -> None:
    """Run the sequencer alone; any number may stand by."""
    from cli.running import service
    from cli.services import sequencer

    with service("sequencer", data, read_settings(database_url, redis_url), pool_size=4) as running:
        sequencer.run(running.engine, running.settings, data, running.stop)


def _socket(fd: int | None, where: str) -> socket.socket:
    from cli.supervisor import listen

    return socket.socket(fileno=fd) if fd is not None else listen(where)
