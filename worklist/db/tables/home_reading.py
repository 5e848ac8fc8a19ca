"""The table of who reads at home: an item that is being read in its home RIS is given to nobody here."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Table

from worklist.db.tables.columns import Instant, metadata, trust_column

home_reading = Table(
    "home_reading",
    metadata,
    Column("item_id", BigInteger, ForeignKey("item.id"), primary_key=True),
    trust_column(),
    Column("being_read", Boolean, nullable=False),
    Column("said_at", Instant, nullable=False, comment="When the home RIS made the newest message that says so."),
    Column("until", Instant, nullable=False, comment="Believed until then, if nothing more is said."),
    comment="Whether somebody reads an item in its home RIS, by the newest message.",
)
