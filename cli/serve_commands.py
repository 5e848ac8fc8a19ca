"""The commands `radpool serve ...`: everything on one machine, or one service of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import Data, DatabaseUrl, RedisUrl, read_settings

if TYPE_CHECKING:
    from cli.settings import Settings

DicomTls = Annotated[
    str | None,
    typer.Option(help="HOST:PORT for DICOM over TLS; needs the RADPOOL_DICOM_TLS_ settings. Usual port: 2762."),
]
Hl7Tls = Annotated[
    str | None, typer.Option(help="HOST:PORT for HL7 over TLS; needs the RADPOOL_HL7_TLS_ settings. Usual port: 2576.")
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
    hl7_tls: Hl7Tls = None,
    database_url: DatabaseUrl = None,
    redis_url: RedisUrl = None,
    test_clock: Annotated[bool, typer.Option("--test-clock", help="Let `radpool clock` move the time.")] = False,
) -> None:
    """Run the server: everything on one machine, or one service of it.

    When ready it prints one JSON line, also written to DIR/run.json: http, dicom, hl7, database_url, pid, and
    dicom_tls and hl7_tls where they were asked for.
    """
    if context.invoked_subcommand is not None:
        return
    if data is None:
        raise typer.BadParameter("say where the data folder is", param_hint="--data")
    from cli.addresses import Addresses
    from cli.process import configure_logs, stop_event
    from cli.supervisor import Supervisor

    settings = read_settings(database_url, redis_url)
    configure_logs(settings.log_level, "serve")
    check_tls(settings, dicom_tls, hl7_tls)
    addresses = Addresses(http, dicom, hl7, dicom_tls, hl7_tls)
    supervisor = Supervisor(data.resolve(), addresses, settings, test_clock, stop_event())
    raise typer.Exit(supervisor.run())


@serve_app.command("api")
def serve_api(
    data: Data = None,
    http: Annotated[str, typer.Option(help="HOST:PORT.")] = "127.0.0.1:8080",
    database_url: DatabaseUrl = None,
    redis_url: RedisUrl = None,
) -> None:
    """Run the API alone."""
    _alone("api", data, read_settings(database_url, redis_url), {"http": http})


@serve_app.command("listener")
def serve_listener(
    data: Data = None,
    dicom: Annotated[str, typer.Option(help="HOST:PORT.")] = "127.0.0.1:11112",
    dicom_tls: DicomTls = None,
    database_url: DatabaseUrl = None,
    redis_url: RedisUrl = None,
) -> None:
    """Run the DICOM listener alone; with --data it keeps a journal there, without each object waits for its commit."""
    settings = read_settings(database_url, redis_url)
    check_tls(settings, dicom_tls, None)
    _alone("listener", data, settings, {"dicom": dicom, "dicom_tls": dicom_tls})


@serve_app.command("hl7")
def serve_hl7(
    data: Data = None,
    hl7: Annotated[str, typer.Option(help="HOST:PORT.")] = "127.0.0.1:2575",
    hl7_tls: Hl7Tls = None,
    database_url: DatabaseUrl = None,
    redis_url: RedisUrl = None,
) -> None:
    """Run the HL7 listener alone."""
    settings = read_settings(database_url, redis_url)
    check_tls(settings, None, hl7_tls)
    _alone("hl7", data, settings, {"hl7": hl7, "hl7_tls": hl7_tls})


@serve_app.command("allocator")
def serve_allocator(data: Data = None, database_url: DatabaseUrl = None, redis_url: RedisUrl = None) -> None:
    """Run the allocator alone; any number may stand by."""
    _alone("allocator", data, read_settings(database_url, redis_url), {})


@serve_app.command("sequencer")
def serve_sequencer(data: Data = None, database_url: DatabaseUrl = None, redis_url: RedisUrl = None) -> None:
    """Run the sequencer alone; any number may stand by."""
    _alone("sequencer", data, read_settings(database_url, redis_url), {})


def _alone(name: str, data: Path | None, settings: Settings, places: Mapping[str, str | None]) -> None:
    from cli.addresses import listen_for
    from cli.running import Given, service_of

    sockets = {kind: listen_for(kind, where) for kind, where in places.items() if where}
    service_of(name)(Given(data, settings, sockets))


def check_tls(settings: Settings, dicom_tls: str | None, hl7_tls: str | None) -> None:
    """Refuse to start what speaks TLS with files that cannot be used."""
    if dicom_tls is not None:
        _check_files(settings.dicom_tls, "DICOM")
    if hl7_tls is not None or settings.hl7_tls is not None:
        _check_files(settings.hl7_tls, "HL7")


def _check_files(files: tuple[Path, Path, Path] | None, what: str) -> None:
    from cli.tls import server_context

    prefix, option = f"RADPOOL_{what}_TLS", f"--{what.lower()}-tls"
    names = f"{prefix}_CERTIFICATE, {prefix}_KEY and {prefix}_AUTHORITIES"
    if files is None:
        raise typer.BadParameter(f"{what} over TLS needs {names}", param_hint=option)
    try:
        server_context(*files)
    except OSError as error:
        raise typer.BadParameter(f"{names}: {error.strerror or type(error).__name__}", param_hint=option) from None
