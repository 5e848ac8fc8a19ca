"""Reads the demonstration network's configuration files that ship with the packages.

It must not import them into a database, nor decide which week of sessions is wanted.
"""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any

from allocation.configuration.document import Network
from allocation.configuration.rota import Rota, Shift

#: Where the parts of the document stand: package and file.
PARTS = (
    ("worklist", "trusts.toml"),
    ("worklist", "catalogue.toml"),
    ("worklist", "targets.toml"),
    ("allocation", "scopes.toml"),
    ("allocation", "radiologists.toml"),
    ("allocation", "radiographers.toml"),
    ("allocation", "rates.toml"),
)


def demonstration_network() -> Network:
    """Give the demonstration network as one document, without sessions: those need a date."""
    return Network.model_validate(demonstration_document())


def demonstration_document() -> dict[str, list[Any]]:
    """Give the rows of the document as the files state them, by table."""
    document: dict[str, list[Any]] = {}
    for package, name in PARTS:
        for table, rows in _read(package, name).items():
            document.setdefault(table, []).extend(rows)
    return document


def demonstration_rota() -> tuple[Shift, ...]:
    """Give the weekly pattern of the demonstration network."""
    return Rota.model_validate(_read("allocation", "rota.toml")).shift


def _read(package: str, name: str) -> dict[str, Any]:
    return tomllib.loads(files(package).joinpath("data", "demonstration", name).read_text(encoding="utf-8"))
