"""Writes the network configuration in force as one TOML document that `radpool import` takes back.

It reads the imports that were made, the later row of a name winning, and what people mapped since; it must not read
derived tables.
"""

from __future__ import annotations

from typing import Any

import tomli_w
from sqlalchemy import Connection, select

from allocation.configuration.document import Network
from worklist.db.tables.network import config_version
from worklist.exams.codes import normal
from worklist.exams.mappings import words_by_people

#: What names a row of each table: two rows of the same name are one, and the later import counts.
KEYS: dict[str, tuple[str, ...]] = {
    "trust": ("ods_code",),
    "source": ("ae_title",),
    "ris": ("sending_facility",),
    "exam": ("code",),
    "exam_alias": ("trust", "kind", "value"),
    "minutes_rule": ("id", "valid_from"),
    "minutes_modifier": ("kind", "valid_from"),
    "target": ("id", "valid_from"),
    "not_offered": ("id", "valid_from"),
    "flag": ("id", "valid_from"),
    "act_reason": ("act", "code"),
    "pause": ("id", "valid_from"),
    "alert_timer": ("kind", "trust", "valid_from"),
    "scope": ("code", "version"),
    "reporter": ("id",),
    "session": ("id",),
    "rate_card": ("code", "version"),
    "outsource_price": ("modality", "valid_from"),
}


def network_in_force(connection: Connection) -> Network:
    """Give the configuration that all imports together have made, with the words for exams that people mapped."""
    tables: dict[str, dict[tuple[Any, ...], Any]] = {name: {} for name in KEYS}
    documents = connection.scalars(select(config_version.c.document).order_by(config_version.c.id))
    for document in documents:
        for name, key in KEYS.items():
            for row in document.get(name, ()):
                tables[name][tuple(row.get(part) for part in key)] = row
    found = {name: list(rows.values()) for name, rows in tables.items()}
    found["exam_alias"] = _with_mapped(connection, found["exam_alias"])
    return Network.model_validate(found)


def _with_mapped(connection: Connection, stated: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put the words that people mapped through the API in the place of what documents say of them."""
    mapped = {(one.trust, one.kind, one.value): one for one in words_by_people(connection)}
    left = [row for row in stated if (row.get("trust"), row["kind"], normal(row["value"])) not in mapped]
    return left + [
        {"trust": trust, "kind": kind, "value": value, "exam": one.exam_code, "valid_from": one.valid_from}
        for (trust, kind, value), one in mapped.items()
    ]


def to_toml(network: Network) -> str:
    """Write a document as TOML; keys that hold their default are left out."""
    return tomli_w.dumps(network.model_dump(mode="python", exclude_defaults=True, exclude_none=True))
