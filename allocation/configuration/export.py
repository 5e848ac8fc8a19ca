"""Writes the network configuration in force as one TOML document that `radpool import` takes back.

It reads the imports that were made, the later row of a name winning; it must not read derived tables.
"""

from __future__ import annotations

from typing import Any

import tomli_w
from sqlalchemy import Connection, select

from allocation.configuration.document import Network
from worklist.db.tables.network import config_version

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
    """Give the configuration that all imports together have made."""
    tables: dict[str, dict[tuple[Any, ...], Any]] = {name: {} for name in KEYS}
    documents = connection.scalars(select(config_version.c.document).order_by(config_version.c.id))
    for document in documents:
        for name, key in KEYS.items():
            for row in document.get(name, ()):
                tables[name][tuple(row.get(part) for part in key)] = row
    return Network.model_validate({name: list(rows.values()) for name, rows in tables.items()})


def to_toml(network: Network) -> str:
    """Write a document as TOML; keys that hold their default are left out."""
    return tomli_w.dumps(network.model_dump(mode="python", exclude_defaults=True, exclude_none=True))
