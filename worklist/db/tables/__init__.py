"""Every table of radpool on one metadata, one module per room; says what is stored, decides nothing."""

from worklist.db.tables import access, announced, catalogue, claims, log, network, pay, people, work
from worklist.db.tables.columns import metadata

__all__ = ["access", "announced", "catalogue", "claims", "log", "metadata", "network", "pay", "people", "work"]
