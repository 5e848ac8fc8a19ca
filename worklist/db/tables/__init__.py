"""Every table of radpool on one metadata, one module per room; says what is stored, decides nothing."""

from worklist.db.tables import (
    access,
    alerts,
    announced,
    catalogue,
    claims,
    delivery,
    exclusions,
    feeds,
    home_reading,
    kept,
    life,
    log,
    merges,
    network,
    pay,
    people,
    work,
)
from worklist.db.tables.columns import metadata

__all__ = [
    "access",
    "alerts",
    "announced",
    "catalogue",
    "claims",
    "delivery",
    "exclusions",
    "feeds",
    "home_reading",
    "kept",
    "life",
    "log",
    "merges",
    "metadata",
    "network",
    "pay",
    "people",
    "work",
]
