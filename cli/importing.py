"""Imports a release of an exam catalogue from the command line: what was asked, how far it is, what it did."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from sqlalchemy import Connection

from allocation.configuration.document import Network
from allocation.configuration.read import InvalidConfiguration, ReadNetwork
from allocation.exam_catalogue.file import read_catalogue
from allocation.exam_catalogue.imports import Release, import_release
from hl7_listener.dialect import Dialect
from hl7_listener.dialect_faults import faults_of


def check_dialects(read: ReadNetwork) -> None:
    """Refuse a document in which a RIS's dialect says what would never be read.

    Raises
    ------
    InvalidConfiguration
        With the line, the key and the remedy of every fault.
    """
    faults = [
        read.fault(("ris", place, "dialect", *key), what)
        for place, ris in enumerate(read.network.ris)
        for key, what in faults_of(ris.dialect)
    ]
    if faults:
        raise InvalidConfiguration(faults)


def schema_of(network: type[Network]) -> dict[str, Any]:
    """Give the JSON Schema of a configuration document, with that of a RIS's dialect."""
    schema = network.model_json_schema()
    dialect = Dialect.model_json_schema(ref_template="#/$defs/{model}")
    schema["$defs"] |= {name: one for name, one in dialect.pop("$defs", {}).items() if name not in schema["$defs"]}
    schema["$defs"]["Dialect"] = dialect
    schema["$defs"]["Ris"]["properties"]["dialect"] = {"$ref": "#/$defs/Dialect"}
    return schema


@dataclass(frozen=True, slots=True)
class AskedRelease:
    """A file, which release it is, and what its words for systems mean."""

    file: Path
    release: Release
    systems: dict[str, str]


def asked_release(
    files: Sequence[Path],
    catalogue: str | None,
    release: str | None,
    released_on: str | None,
    trust: str | None,
    systems: Sequence[str],
) -> AskedRelease:
    """Hold what was typed together, or say what is missing."""
    if len(files) != 1:
        raise typer.BadParameter("name one CSV file; configuration is imported by itself", param_hint="FILES")
    if catalogue not in ("national", "trust"):
        raise typer.BadParameter("say national or trust: whose catalogue the file is", param_hint="--catalogue")
    if (catalogue == "trust") != (trust is not None):
        raise typer.BadParameter("goes with --catalogue trust, and with no other", param_hint="--trust")
    if not release or len(release) > 64:
        raise typer.BadParameter("name the release, in 1 to 64 characters", param_hint="--release")
    try:
        day = date.fromisoformat(released_on or "")
    except ValueError:
        raise typer.BadParameter("say from when it is in force: YYYY-MM-DD", param_hint="--released-on") from None
    return AskedRelease(files[0], Release(release, day, trust), dict(_system(one) for one in systems))


def import_catalogue(connection: Connection, asked: AskedRelease, *, check: bool, retire_many: bool) -> None:
    """Import it, or with `check` only say what that would do; a bar shows how far it is where a terminal is."""
    with _bar() as told:
        file = read_catalogue(
            asked.file, own=asked.release.trust is not None, systems=asked.systems, on_row=told("reading", None)
        )
        done = import_release(
            connection,
            file,
            asked.release,
            by=os.environ.get("USER", "command line"),
            retire_many=retire_many,
            on_written=told("writing", len(file.rows)),
        )
    if check:
        connection.rollback()
    else:
        connection.commit()
    print("Dry run: nothing was changed" if check else f"Imported {asked.release.source}")
    table = Table()
    table.add_column("codes")
    table.add_column("rows", justify="right")
    for name, rows in asdict(done).items():
        if name not in ("reprofiled", "to_work_out"):
            table.add_row(name, str(rows))
    Console().print(table)
    print(f"{done.reprofiled} waiting items get another profile, {done.to_work_out} are mapped again")


def _system(words: str) -> tuple[str, str]:
    word, _, modality = words.partition("=")
    if not word.strip() or not (modality.isalnum() and modality.isupper() and 2 <= len(modality) <= 4):
        raise typer.BadParameter("say WORD=MODALITY, such as Barium=RF", param_hint="--system")
    return word.strip().lower(), modality


@contextmanager
def _bar() -> Iterator[Callable[[str, int | None], Callable[[int], None]]]:
    """Give a function that makes a listener for each step; where there is no terminal nothing is shown."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:

        def told(step: str, total: int | None) -> Callable[[int], None]:
            task = progress.add_task(step, total=total)
            return lambda done: progress.update(task, completed=done)

        yield told
