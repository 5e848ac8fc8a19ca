"""Tables of the exam catalogue's past and figures: releases, versions, a trust's own words, minutes, work to redo."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    Numeric,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from worklist.db.tables.columns import Instant, identity, metadata, now_column, one_of, trust_column
from worklist.exams.codes import AliasKind
from worklist.exams.valuation import ModifierKind

exam_release = Table(
    "exam_release",
    metadata,
    identity(big=False),
    Column("catalogue", Text, nullable=False),
    trust_column(nullable=True),
    Column("release", Text, nullable=False),
    Column("released_on", Date, nullable=False, comment="From when it is in force; what it lacks is retired that day."),
    Column("retired_valid_days", Integer, nullable=False, comment="How long a retired code stays valid."),
    Column("source", Text, nullable=False),
    Column("file_name", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("codes", Integer, nullable=False),
    Column("added", Integer, nullable=False),
    Column("changed", Integer, nullable=False),
    Column("retired", Integer, nullable=False),
    now_column("imported_at"),
    Column("imported_by", Text, nullable=False),
    one_of("catalogue", ("national", "trust")),
    UniqueConstraint("catalogue", "trust_ods", "release", postgresql_nulls_not_distinct=True),
    comment="Every release of the national catalogue and of a trust's own that was imported; rows are never changed.",
)

exam_version = Table(
    "exam_version",
    metadata,
    Column("code", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("stated", JSONB, nullable=False),
    now_column("recorded_at"),
    PrimaryKeyConstraint("code", "version"),
    comment="What the catalogue ever said of a code; written by the database with each change, never changed.",
)

exam_alias = Table(
    "exam_alias",
    metadata,
    identity(big=False),
    trust_column(nullable=True),
    Column("kind", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("exam_code", Text, ForeignKey("exam.code"), nullable=False),
    Column(
        "valid_from",
        Date,
        nullable=False,
        server_default=text("'1900-01-01'"),
        comment="First local exam date that it is good for.",
    ),
    Column("valid_to", Date, comment="Last one; null: it stays. Before valid_from: it was never right."),
    now_column("opened_at"),
    Column("opened_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("exception_id", BigInteger, ForeignKey("worklist_exception.id"), comment="What led to it."),
    Column("closed_at", Instant),
    Column("closed_by", Text),
    one_of("kind", [kind.value for kind in AliasKind]),
    Index(
        "exam_alias_standing_idx",
        "trust_ods",
        "kind",
        "value",
        unique=True,
        postgresql_where=text("closed_at IS NULL"),
        postgresql_nulls_not_distinct=True,
    ),
    Index("exam_alias_value_idx", "trust_ods", "kind", "value"),
    comment="A trust's own word for an exam (upper case, single spaces); null trust: everyone's. A change closes one"
    " row and opens another. A word may name people: row-level security is forced.",
)

exam_as_sent = Table(
    "exam_as_sent",
    metadata,
    Column("item_id", BigInteger, ForeignKey("item.id"), nullable=False),
    Column("position", SmallInteger, nullable=False),
    trust_column(),
    Column("code", Text),
    Column("scheme", Text),
    Column("description", Text),
    PrimaryKeyConstraint("item_id", "position"),
    comment="What a source called the exams of an item. May name people: row-level security is forced.",
)

minutes_rule = Table(
    "minutes_rule",
    metadata,
    identity(big=False),
    Column("code", Text, nullable=False),
    Column("modality", Text, nullable=False),
    Column("exam_codes", ARRAY(Text)),
    Column("body_regions", ARRAY(Text)),
    Column("minutes", Numeric(6, 2), nullable=False),
    Column("confidence", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("confirmed_by", Text),
    Column("valid_from", Date, nullable=False),
    Column("valid_to", Date),
    UniqueConstraint("code", "valid_from"),
    comment="Reporting minutes of exams that have none of their own, dated; null conditions match everything.",
)

minutes_modifier = Table(
    "minutes_modifier",
    metadata,
    identity(big=False),
    Column("kind", Text, nullable=False),
    Column("percent", Numeric(5, 1), nullable=False),
    Column("below_years", SmallInteger),
    Column("source", Text, nullable=False),
    Column("confirmed_by", Text),
    Column("valid_from", Date, nullable=False),
    Column("valid_to", Date),
    one_of("kind", [kind.value for kind in ModifierKind]),
    UniqueConstraint("kind", "valid_from"),
    comment="What changes the value of work, as a percentage of it, dated.",
)

item_to_work_out = Table(
    "item_to_work_out",
    metadata,
    Column("item_id", BigInteger, ForeignKey("item.id"), primary_key=True),
    now_column("asked_at"),
    Column("why", Text, nullable=False),
    Column("not_before", Instant, nullable=False, server_default=text("radpool_now()")),
    Index("item_to_work_out_next_idx", "not_before", "item_id"),
    comment="Items that a new mapping or catalogue may change, until they are worked out again; no identifiers.",
)
