"""Reads the demonstration network's configuration files that ship with the packages.

It must not import them into a database, nor decide which weeks of sessions are wanted.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from datetime import date
from importlib.resources import files

from allocation.configuration.read import ReadNetwork, read_texts
from allocation.configuration.rota import Rota, Shift, week_of_sessions


def demonstration_network(mondays: Iterable[date] = ()) -> ReadNetwork:
    """Give the demonstration network as one document, with sessions for the weeks that begin on `mondays`.

    Raises
    ------
    ValueError
        One of `mondays` is another day of the week.
    """
    read = read_texts([(name, _text(package, name)) for package, name in PARTS])
    shifts = demonstration_rota()
    sessions = tuple(session for monday in mondays for session in week_of_sessions(shifts, monday))
    return ReadNetwork(read.network.model_copy(update={"session": sessions}), read.sources)


def demonstration_rota() -> tuple[Shift, ...]:
    """Give the weekly pattern of the demonstration network."""
    return Rota.model_validate(tomllib.loads(_text("allocation", "rota.toml"))).shift


#: Where the parts of the document stand: package and file.
PARTS = (
    ("worklist", "trusts.toml"),
    ("worklist", "catalogue.toml"),
    ("worklist", "minutes.toml"),
    ("worklist", "targets.toml"),
    ("worklist", "flags.toml"),
    ("allocation", "scopes.toml"),
    ("allocation", "radiologists.toml"),
    ("allocation", "radiographers.toml"),
    ("allocation", "rates.toml"),
)


def _text(package: str, name: str) -> str:
    return files(package).joinpath("data", "demonstration", name).read_text(encoding="utf-8")
