"""Every table of radpool on one metadata, one module per room; says what is stored, decides nothing."""

from worklist.db.tables import access, announced, claims, log, merges, network, pay, people, work
from worklist.db.tables.columns import metadata

__all__ = ["access", "announced", "claims", "log", "merges", "metadata", "network", "pay", "people", "work"]
