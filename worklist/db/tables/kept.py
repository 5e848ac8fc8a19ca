"""The table of messages that were kept out: they named another patient than their accession's, as known then."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Table, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB, UUID

from worklist.db.tables.columns import Instant, identity, metadata, now_column, one_of, trust_column

kept_message = Table(
    "kept_message",
    metadata,
    identity(),
    trust_column(),
    Column("item_id", BigInteger, ForeignKey("item.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("digest", UUID(as_uuid=True), nullable=False, comment="Of all that it says: it is kept once."),
    Column("fact", JSONB, nullable=False, comment="What it says, as it was read; no words of a report."),
    now_column("kept_at"),
    Column("due", Boolean, nullable=False, server_default=text("false"), comment="It is to be taken again."),
    Column("taken_at", Instant),
    one_of("kind", ("order", "report", "reading")),
    UniqueConstraint("item_id", "digest"),
    Index("kept_message_due_idx", "id", postgresql_where=text("due")),
    comment="Messages that named somebody else than their accession's patient; forced row-level security.",
)
