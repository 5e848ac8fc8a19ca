"""The command `radpool`: what can be typed, and nothing of how it is done."""

from __future__ import annotations

import os
import socket
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import SecretStr, ValidationError
from rich.console import Console
from rich.table import Table

from cli.durations import parse_duration
from cli.settings import Settings

app = typer.Typer(
    name="radpool",
    help="Shared reporting worklist and insourcing allocator of an imaging network.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
serve_app = typer.Typer(
    help="Run the server: everything on one machine, or one service of it.", invoke_without_command=True
)
user_app = typer.Typer(help="Local accounts.", no_args_is_help=True)
app.add_typer(serve_app, name="serve")
app.add_typer(user_app, name="user")

errors = Console(stderr=True)

Data = Annotated[Path | None, typer.Option("--data", help="Data folder of a one-machine server.", file_okay=False)]
DatabaseUrl = Annotated[str | None, typer.Option("--database-url", help="postgresql:// URL instead of our own server.")]
RedisUrl = Annotated[str | None, typer.Option("--redis-url", help="redis:// URL; without one the server does without.")]
Fd = Annotated[int | None, typer.Option("--fd", help="Take this inherited listening socket.", hidden=True)]


def main() -> None:
    """Run the command line; errors that name the fact are one line and exit status 2."""
    from cli.refusals import REFUSALS

    try:
        app()
    except REFUSALS as error:
        for line in str(error).splitlines():
            errors.print(f"radpool: {line}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise SystemExit(2) from None


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

    settings = _settings(database_url, redis_url)
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

    with service("api", data, _settings(database_url, redis_url), pool_size=48) as running:
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

    with service("listener", data, _settings(database_url, redis_url), pool_size=20) as running:
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

    with service("hl7", data, _settings(database_url, redis_url), pool_size=10) as running:
        hl7_service.run(_socket(fd, hl7), running.engine, running.stop)


@serve_app.command("allocator")
def serve_allocator(data: Data = None, database_url: DatabaseUrl = None, redis_url: RedisUrl = None) -> None:
    """Run the allocator alone; any number may stand by."""
    from cli.running import service
    from cli.services import allocator

    with service("allocator", data, _settings(database_url, redis_url), pool_size=4) as running:
        allocator.run(running.engine, running.driver_url, running.settings, running.stop)


@serve_app.command("sequencer")
def serve_sequencer(data: Data = None, database_url: DatabaseUrl = None, redis_url: RedisUrl = None) -> None:
    """Run the sequencer alone; any number may stand by."""
    from cli.running import service
    from cli.services import sequencer

    with service("sequencer", data, _settings(database_url, redis_url), pool_size=4) as running:
        sequencer.run(running.engine, running.settings, data, running.stop)


@app.command()
def migrate(data: Data = None, database_url: DatabaseUrl = None) -> None:
    """Bring the database to the newest schema."""
    from cli.data_folder import open_database, prepare
    from worklist.db.migrate import migrate as bring

    if data is not None:
        prepare(data)
    with open_database(data, _settings(database_url, None)) as address:
        engine = address.migration_engine()
        print(f"schema {bring(engine)}")
        engine.dispose()


@user_app.command("add")
def user_add(
    name: str,
    role: Annotated[str, typer.Option(help="One or more roles, with commas between.")],
    trust: Annotated[str | None, typer.Option(help="ODS code of the user's trust.")] = None,
    reporter: Annotated[str | None, typer.Option(help="The reporter (id) that the user is.")] = None,
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Add a user, or give the one of that name these roles. Works with the server up or down."""
    from api.accounts import add_user
    from api.permissions import parse_roles
    from cli.data_folder import open_database

    roles = parse_roles(role)
    with open_database(data, _settings(database_url, None)) as address, address.app_engine().begin() as connection:
        add_user(connection, name, roles, trust=trust, reporter_code=reporter)
    print(f"user {name}: {', '.join(sorted(roles))}")


@app.command()
def token(
    user: Annotated[str, typer.Option("--user", help="Whose token.")],
    data: Data = None,
    days: Annotated[int | None, typer.Option(help="How long it lasts.", min=1)] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Print a bearer token for a user. Works with the server up or down."""
    from api.accounts import issue_token
    from cli.data_folder import open_database

    settings = _settings(database_url, None)
    with open_database(data, settings) as address, address.app_engine().begin() as connection:
        made = issue_token(connection, user, days=days or settings.token_days)
    print(made)


@app.command("import")
def import_(
    files: Annotated[list[Path] | None, typer.Argument(help="TOML files, taken together as one document.")] = None,
    data: Data = None,
    check: Annotated[bool, typer.Option("--check", help="Dry run: say what would change, change nothing.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the document's JSON Schema.")] = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Import a network configuration, all or nothing."""
    import json

    from allocation.configuration.apply import apply
    from allocation.configuration.document import Network
    from allocation.configuration.read import read_files
    from cli.data_folder import open_database

    if schema:
        print(json.dumps(Network.model_json_schema(), indent=2))
        return
    if not files:
        raise typer.BadParameter("name a TOML file", param_hint="FILES")
    read = read_files(files)
    settings = _settings(database_url, None)
    with open_database(data, settings) as address, address.app_engine().connect() as connection:
        done = apply(connection, read, by=os.environ.get("USER", "command line"))
        if check:
            connection.rollback()
        else:
            connection.commit()
    table = Table(title="Dry run: nothing was changed" if check else "Imported")
    table.add_column("table")
    table.add_column("rows", justify="right")
    for name, rows in done.rows.items():
        table.add_row(name, str(rows))
    table.caption = f"{done.reprofiled} waiting items get another profile"
    Console().print(table)


@app.command()
def export(
    file: Annotated[Path | None, typer.Argument(help="Where to write it; without one it is printed.")] = None,
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Write the network configuration in force as a TOML file that `radpool import` takes back."""
    from allocation.configuration.export import network_in_force, to_toml
    from cli.data_folder import open_database

    with open_database(data, _settings(database_url, None)) as address, address.app_engine().connect() as connection:
        words = to_toml(network_in_force(connection))
    if file is None:
        print(words)
    else:
        file.write_text(words, encoding="utf-8")


@app.command()
def simulate(
    data: Data = None,
    without: Annotated[list[str] | None, typer.Option(help="What if this reporter (id) did not work?")] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Carry today's plan forward, and say what would be done, late and left; nothing is changed."""
    from cli.data_folder import open_database
    from cli.simulating import simulate as run

    with open_database(data, _settings(database_url, None)) as address, address.app_engine().connect() as connection:
        Console().print(run(connection, without or []))


@app.command("db-url")
def db_url(
    data: Data = None,
    role: Annotated[str, typer.Option(help="app or owner.")] = "app",
    database_url: DatabaseUrl = None,
) -> None:
    """Print the URL of the database, as the application or as the owner."""
    from cli.data_folder import given, of_cluster, remembered_url
    from cli.supervisor import app_url, owner_url
    from worklist.db import embedded

    if role not in ("app", "owner"):
        raise typer.BadParameter("app or owner", param_hint="--role")
    settings = _settings(database_url, None)
    url = settings.database_url.get_secret_value() if settings.database_url else data and remembered_url(data)
    if url:
        address = given(url)
    else:
        cluster = embedded.running(data) if data else None
        if cluster is None:
            raise typer.BadParameter("no database is running there; start `radpool serve`", param_hint="--data")
        address = of_cluster(cluster)
    print(app_url(address) if role == "app" else owner_url(address))


@app.command()
def clock(
    by: Annotated[str, typer.Argument(help="How far: +3h, +90m, +2d, -10s; 0s only shows the time.")] = "0s",
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Move the clock of a server that runs with --test-clock, and print its time."""
    from cli.data_folder import open_database
    from worklist.clock import move, now

    moved = parse_duration(by)
    with open_database(data, _settings(database_url, None)) as address, address.owner_engine().begin() as connection:
        moment = move(connection, moved) if moved != timedelta(0) else now(connection)
    print(moment.isoformat())


@app.command("verify-audit")
def verify_audit(data: Data = None, database_url: DatabaseUrl = None) -> None:
    """Walk the audit's hash chains and signed checkpoints; exit status 1 if anything was changed."""
    from cli.data_folder import open_database
    from worklist.audit import verify

    with open_database(data, _settings(database_url, None)) as address, address.app_engine().connect() as connection:
        verdict = verify(connection, data / "checkpoints" if data else None)
    for fault in verdict.faults[:100]:
        where = f"lane {fault.lane}, entry {fault.sequence}: " if fault.lane >= 0 else ""
        errors.print(f"{where}{fault.what}", style="red", markup=False)
    print(f"{verdict.entries} entries, {verdict.checkpoints} checkpoints, {len(verdict.faults)} faults")
    raise typer.Exit(1 if verdict.faults else 0)


@app.command()
def check(
    data: Data = None,
    ledger: Annotated[bool, typer.Option("--ledger", help="Only the pay ledger.")] = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Check the invariants on the live data; exit status 1 if one is broken."""
    from cli.checks import run_checks
    from cli.data_folder import open_database

    with open_database(data, _settings(database_url, None)) as address, address.app_engine().connect() as connection:
        results = run_checks(connection, only_ledger=ledger)
    table = Table()
    table.add_column("check")
    table.add_column("broken", justify="right")
    for result in results:
        table.add_row(result.what, str(result.broken), style="red" if result.broken else "")
    Console().print(table)
    raise typer.Exit(1 if any(result.broken for result in results) else 0)


@app.command()
def plan(data: Data = None, database_url: DatabaseUrl = None) -> None:
    """Plan now, and say what was placed and what could not be."""
    from allocation.planner import greedy
    from allocation.planner.run import read_problem, replan
    from cli.data_folder import open_database

    with open_database(data, _settings(database_url, None)) as address:
        engine = address.app_engine()
        run = replan(engine, greedy.plan, solver="greedy")
        with engine.connect() as connection:
            left = greedy.plan(read_problem(connection)).unassigned_by_reason
    if run is None:
        print("another planner is at work; try again")
        raise typer.Exit(1)
    print(f"{run.readings} readings waiting, {run.assigned} assigned, {run.changed} changed, {run.seconds:.3f} s")
    for reason, count in left.items():
        print(f"  not assigned, {reason}: {count}")


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="Take free ports, work once, print one JSON line, end.")] = False,
    data: Data = None,
    studies: Annotated[int, typer.Option(help="How many synthetic studies.", min=20, max=5000)] = 160,
    seed: Annotated[int, typer.Option(help="The same seed gives the same studies.")] = 1,
) -> None:
    """Run a demonstration network: real DICOM in, reporters at work, pay out. All of it is synthetic."""
    from cli.demonstration.run import demonstrate

    raise typer.Exit(demonstrate(data, once=once, count=studies, seed=seed))


def _settings(database_url: str | None, redis_url: str | None) -> Settings:
    """Read settings; what the command line says goes before the environment."""
    given: dict[str, Any] = {}
    if database_url:
        given["database_url"] = SecretStr(database_url)
    if redis_url:
        given["redis_url"] = redis_url
    try:
        return Settings(**given)
    except ValidationError as error:
        faults = "; ".join(f"RADPOOL_{'.'.join(map(str, one['loc'])).upper()}: {one['msg']}" for one in error.errors())
        raise typer.BadParameter(faults) from None


def _socket(fd: int | None, where: str) -> socket.socket:
    from cli.supervisor import listen

    return socket.socket(fileno=fd) if fd is not None else listen(where)


if __name__ == "__main__":
    main()
