"""The commands `radpool serve ...`: everything on one machine, or one service of it."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import Data, DatabaseUrl, Fd, RedisUrl, read_settings

if TYPE_CHECKING:
    from cli.settings import Settings

DicomTls = Annotated[
    str | None,
    typer.Option(help="HOST:PORT for DICOM over TLS; needs the RADPOOL_DICOM_TLS_ settings. Usual port: 2762."),
]

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
    dicom_tls: DicomTls = None,
    database_url: DatabaseUrl = None,
    redis_url: RedisUrl = None,
    test_clock: Annotated[bool, typer.Option("--test-clock", help="Let `radpool clock` move the time.")] = False,
) -> None:
    """Run the server: everything on one machine, or one service of it.

    When ready it prints one JSON line, also written to DIR/run.json: http, dicom, hl7, database_url, pid, and
    dicom_tls where it was asked for.
    """
    if context.invoked_subcommand is not None:
        return
    if data is None:
        raise typer.BadParameter("say where the data folder is", param_hint="--data")
    from cli.process import configure_logs, stop_event
    from cli.supervisor import Addresses, Supervisor

    settings = read_settings(database_url, redis_url)
    configure_logs(settings.log_level, "serve")
    if dicom_tls is not None:
        check_tls(settings)
    supervisor = Supervisor(data.resolve(), Addresses(http, dicom, hl7, dicom_tls), settings, test_clock, stop_event())
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
    dicom_tls: DicomTls = None,
    fd: Fd = None,
    tls_fd: Annotated[int | None, typer.Option(hidden=True)] = None,
    database_url: DatabaseUrl = None,
    redis_url: RedisUrl = None,
) -> None:
    """Run the DICOM listener alone; with --data it keeps a journal there, without each object waits for its commit."""
    from cli.running import service
    from cli.services import listener
    from dicom_listener.processes.acceptor import Port

    settings = read_settings(database_url, redis_url)
    with service("listener", data, settings, pool_size=20) as running:
        ports = [Port(_socket(fd, dicom))]
        if dicom_tls is not None or tls_fd is not None:
            check_tls(settings)
            ports.append(Port(_socket(tls_fd, dicom_tls or ""), protected=True))
        listener.run(ports, running.engine, running.settings, data, running.stop)


@serve_app.command("listener-worker", hidden=True)
def serve_listener_worker(
    link: Annotated[int, typer.Option(help="The socket that joins it to the acceptor.")],
    journal: Annotated[Path, typer.Option(help="The folder of the journal.")],
    each_waits: Annotated[bool, typer.Option("--each-waits", help="Each object waits for its commit.")] = False,
) -> None:
    """Receive DICOM for a listener, which starts this."""
    from cli.process import configure_logs, ignore_interrupts
    from cli.services import listener_worker

    settings = read_settings(None, None)
    configure_logs(settings.log_level, "listener")
    ignore_interrupts()
    listener_worker.run(
        socket.socket(fileno=link), journal, every=each_waits, fsync=settings.journal_fsync, tls=settings.dicom_tls
    )


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


def check_tls(settings: Settings) -> None:
    """Refuse to start DICOM over TLS with files that cannot be used."""
    from dicom_listener.tls import server_context

    names = "RADPOOL_DICOM_TLS_CERTIFICATE, RADPOOL_DICOM_TLS_KEY and RADPOOL_DICOM_TLS_AUTHORITIES"
    if settings.dicom_tls is None:
        raise typer.BadParameter(f"DICOM over TLS needs {names}", param_hint="--dicom-tls")
    try:
        server_context(*settings.dicom_tls)
    except OSError as error:
        raise typer.BadParameter(
            f"{names}: {error.strerror or type(error).__name__}", param_hint="--dicom-tls"
        ) from None
