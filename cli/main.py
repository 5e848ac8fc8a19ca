"""The command `radpool`: what can be typed, and nothing of how it is done."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.durations import parse_duration
from cli.options import Data, DatabaseUrl, read_settings
from cli.serve_commands import serve_app

app = typer.Typer(
    name="radpool",
    help="Shared reporting worklist and insourcing allocator of an imaging network.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
user_app = typer.Typer(help="Local accounts.", no_args_is_help=True)
app.add_typer(serve_app, name="serve")
app.add_typer(user_app, name="user")

errors = Console(stderr=True)


def main() -> None:
    """Run the command line; errors that name the fact are one line and exit status 2."""
    from cli.refusals import told_in_a_line

    told_in_a_line(app)


@app.command()
def migrate(data: Data = None, database_url: DatabaseUrl = None) -> None:
    """Bring the database to the newest schema."""
    from cli.data_folder import open_database, prepare
    from worklist.db.migrate import migrate as bring

    if data is not None:
        prepare(data)
    with open_database(data, read_settings(database_url), create=True) as address:
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
    with open_database(data, read_settings(database_url)) as address, address.app_engine().begin() as connection:
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

    settings = read_settings(database_url)
    with open_database(data, settings) as address, address.app_engine().begin() as connection:
        made = issue_token(connection, user, days=days or settings.token_days)
    print(made)


@app.command("import")
def import_(
    files: Annotated[
        list[Path] | None, typer.Argument(help="TOML files, taken together as one document; or one CSV file.")
    ] = None,
    data: Data = None,
    check: Annotated[bool, typer.Option("--check", help="Dry run: say what would change, change nothing.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the document's JSON Schema.")] = False,
    catalogue: Annotated[
        str | None, typer.Option(help="The file is a release of an exam catalogue: national or trust.")
    ] = None,
    release: Annotated[str | None, typer.Option(help="The release's name.")] = None,
    released_on: Annotated[
        str | None, typer.Option(help="The date (YYYY-MM-DD) from which the release is in force.")
    ] = None,
    trust: Annotated[str | None, typer.Option(help="ODS code of the trust whose own catalogue it is.")] = None,
    system: Annotated[
        list[str] | None, typer.Option(help="What a word of the column `system` means: WORD=MODALITY.")
    ] = None,
    retire_many: Annotated[
        bool, typer.Option("--retire-many", help="The release does retire more than a fifth of the codes.")
    ] = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Import a network configuration (TOML) or a release of an exam catalogue (CSV), all or nothing."""
    import json

    from allocation.configuration.apply import apply
    from allocation.configuration.document import Network
    from allocation.configuration.read import read_files
    from cli.data_folder import open_database
    from cli.importing import check_dialects, schema_of

    if schema:
        print(json.dumps(schema_of(Network), indent=2))
        return
    if not files:
        raise typer.BadParameter("name a TOML file", param_hint="FILES")
    settings = read_settings(database_url)
    if catalogue is not None or any(file.suffix.lower() == ".csv" for file in files):
        from cli.importing import asked_release, import_catalogue

        asked = asked_release(files, catalogue, release, released_on, trust, system or [])
        with open_database(data, settings) as address, address.app_engine().connect() as connection:
            import_catalogue(connection, asked, check=check, retire_many=retire_many)
        return
    read = read_files(files)
    check_dialects(read)
    with open_database(data, settings) as address, address.app_engine().connect() as connection:
        done = apply(connection, read, by=os.environ.get("USER", "command line"))
        if check:
            connection.rollback()
        else:
            connection.commit()
    print("Dry run: nothing was changed" if check else "Imported")
    table = Table()
    table.add_column("table")
    table.add_column("rows", justify="right")
    for name, rows in done.rows.items():
        table.add_row(name, str(rows))
    Console().print(table)
    print(f"{done.reprofiled} waiting items get another profile")
    if done.worked_out:
        print(f"{done.worked_out} waiting items are worked out by the new rules of what is offered")


@app.command()
def export(
    file: Annotated[Path | None, typer.Argument(help="Where to write it; without one it is printed.")] = None,
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Write the network configuration in force as a TOML file that `radpool import` takes back."""
    from allocation.configuration.export import network_in_force, to_toml
    from cli.data_folder import open_database

    with (
        open_database(data, read_settings(database_url)) as address,
        address.app_engine().connect() as connection,
    ):
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

    with (
        open_database(data, read_settings(database_url)) as address,
        address.app_engine().connect() as connection,
    ):
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
    settings = read_settings(database_url)
    url = settings.database_url.get_secret_value() if settings.database_url else data and remembered_url(data)
    if url:
        address = given(url)
    else:
        cluster = embedded.running(data) if data else None
        if cluster is None:
            raise typer.BadParameter("no database is running there; start `radpool serve`", param_hint="--data")
        address = of_cluster(cluster)
    print(app_url(address) if role == "app" else owner_url(address))


@app.command(context_settings={"ignore_unknown_options": True})  # -10s is a duration
def clock(
    by: Annotated[str, typer.Argument(help="How far: +3h, +90m, +2d, -10s; 0s only shows the time.")] = "0s",
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Move the clock of a server that runs with --test-clock, and print its time."""
    from cli.data_folder import open_database
    from worklist.clock import move, now

    moved = parse_duration(by)
    with (
        open_database(data, read_settings(database_url)) as address,
        address.owner_engine().begin() as connection,
    ):
        moment = move(connection, moved) if moved != timedelta(0) else now(connection)
    print(moment.isoformat())


@app.command("verify-audit")
def verify_audit(data: Data = None, database_url: DatabaseUrl = None) -> None:
    """Walk the audit's hash chains and signed checkpoints; exit status 1 if anything was changed."""
    from cli.data_folder import open_database
    from worklist.log.audit import verify

    with (
        open_database(data, read_settings(database_url)) as address,
        address.app_engine().connect() as connection,
    ):
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

    with (
        open_database(data, read_settings(database_url)) as address,
        address.app_engine().connect() as connection,
    ):
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

    with open_database(data, read_settings(database_url)) as address:
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


if __name__ == "__main__":
    main()
