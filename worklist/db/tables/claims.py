"""Tables of who has what: claims with their leases, plan assignments, reports and exclusions."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from worklist.db.tables.columns import Instant, identity, metadata, now_column, one_of, trust_column
from worklist.reading import ClaimEnd, Discrepancy, ReportStatus

claim = Table(
    "claim",
    metadata,
    identity(),
    Column("reading_id", BigInteger, ForeignKey("reading.id"), nullable=False),
    Column("item_id", BigInteger, ForeignKey("item.id"), nullable=False),
    Column("reporter_id", Integer, ForeignKey("reporter.id"), nullable=False),
    Column("session_id", Integer, ForeignKey("reporting_session.id")),
    Column("token", BigInteger, nullable=False),
    now_column("claimed_at"),
    Column("expires_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("end_reason", Text),
    Column("end_detail", Text),
    one_of("end_reason", [end.value for end in ClaimEnd]),
    UniqueConstraint("reading_id", "token"),
    Index("claim_one_live_idx", "reading_id", unique=True, postgresql_where=text("ended_at IS NULL")),
    Index("claim_reporter_live_idx", "reporter_id", postgresql_where=text("ended_at IS NULL")),
    Index("claim_item_idx", "item_id"),
    Index("claim_reporter_idx", "reporter_id", "id"),
    comment="A lease on a reading with its fencing token; at most one live per reading.",
)

assignment = Table(
    "assignment",
    metadata,
    Column("reading_id", BigInteger, ForeignKey("reading.id"), primary_key=True),
    Column("item_id", BigInteger, ForeignKey("item.id"), nullable=False),
    Column("reporter_id", Integer, ForeignKey("reporter.id"), nullable=False),
    Column("session_id", Integer, ForeignKey("reporting_session.id"), nullable=False),
    Column("rank", Integer, nullable=False),
    Column("valid_until", Instant, nullable=False),
    Column("why", Text, nullable=False),
    now_column("assigned_at"),
    Index("assignment_reporter_idx", "reporter_id", "rank"),
    Index("assignment_item_idx", "item_id"),
    comment="The plan in force: who should read it, in what order, until when.",
)

plan_run = Table(
    "plan_run",
    metadata,
    identity(),
    now_column("ran_at"),
    Column("solver", Text, nullable=False),
    Column("readings", Integer, nullable=False),
    Column("assigned", Integer, nullable=False),
    Column("changed", Integer, nullable=False),
    Column("seconds", Numeric(10, 4), nullable=False),
    Column("unassigned_by_reason", JSONB, nullable=False),
    comment="One run of the planner and what it could not place, by reason.",
)

item_exclusion = Table(
    "item_exclusion",
    metadata,
    Column("item_id", BigInteger, ForeignKey("item.id"), nullable=False),
    Column("reporter_id", Integer, ForeignKey("reporter.id"), nullable=False),
    Column("kind", Text, nullable=False),
    now_column("created_at"),
    PrimaryKeyConstraint("item_id", "reporter_id", "kind"),
    one_of("kind", ("has-read", "referred", "skipped", "conflict-of-interest")),
    comment="What concerns one item and one person: this reporter is not offered this item.",
)

report = Table(
    "report",
    metadata,
    identity(),
    Column("reading_id", BigInteger, ForeignKey("reading.id"), nullable=False),
    Column("item_id", BigInteger, ForeignKey("item.id"), nullable=False),
    Column("claim_id", BigInteger, ForeignKey("claim.id"), nullable=False),
    Column("reporter_id", Integer, ForeignKey("reporter.id"), nullable=False),
    Column("status", Text, nullable=False),
    Column("superseded", Boolean, nullable=False, comment="Sent under a superseded token: kept for a person to judge."),
    Column("alerts", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    now_column("received_at"),
    Column("recalled_at", Instant, comment="Since then it no longer stands."),
    Column("discrepancy", Text, comment="What it changes of the report that went out before it; null: not stated."),
    one_of("status", [status.value for status in ReportStatus]),
    one_of("discrepancy", [discrepancy.value for discrepancy in Discrepancy]),
    Index("report_item_idx", "item_id"),
    comment="That a report was given, by whom and with what standing; its words are in report_text.",
)

report_text = Table(
    "report_text",
    metadata,
    Column("report_id", BigInteger, ForeignKey("report.id"), primary_key=True),
    trust_column(),
    Column("item_id", BigInteger, ForeignKey("item.id"), nullable=False),
    Column("body", Text, nullable=False),
    comment="Words of a report written here, kept until the home RIS has them; forced row-level security.",
)
