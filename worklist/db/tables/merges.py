"""The table of what was said of patients who are one, or were held to be: merges and their ends, never deleted."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Table, Text, UniqueConstraint, text

from worklist.db.tables.columns import Instant, identity, metadata, now_column, one_of, trust_column

patient_merge = Table(
    "patient_merge",
    metadata,
    identity(),
    trust_column(),
    Column(
        "kind", Text, nullable=False, comment="An unlink separates the two, in whichever direction they were merged."
    ),
    Column("retired_id", BigInteger, ForeignKey("patient.id"), nullable=False),
    Column("surviving_id", BigInteger, ForeignKey("patient.id"), nullable=False),
    Column("message_at", Instant, nullable=False, comment="When it was said, by whoever said it."),
    Column("stated_by", Text, nullable=False, comment="The home RIS, or a person by the name of the account."),
    Column("message_id", Text, comment="The message's own id; null: a person said it."),
    Column("note", Text, comment="Free words may name people: row-level security is forced."),
    now_column("recorded_at"),
    Column("standing", Boolean, nullable=False, server_default=text("false"), comment="Whether it merges the two now."),
    Column("unmerged_at", Instant, comment="When what ended it was said."),
    Column("unmerged_by", Text),
    one_of("kind", ("merge", "change", "unlink")),
    UniqueConstraint("retired_id", "surviving_id", "kind", "message_at"),
    Index("patient_merge_surviving_idx", "surviving_id"),
    Index(
        "patient_merge_one_standing_idx",
        "retired_id",
        unique=True,
        postgresql_where=text("standing"),
    ),
    comment="Merges of patients and what ended them, as said; forced row-level security.",
)
