"""Tables of what happened: events and their positions, consumers, audit chains, idempotency, the test clock."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Interval,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from worklist.db.tables.columns import Instant, TransactionId, metadata, now_column

event = Table(
    "event",
    metadata,
    # The transaction's number stands before the id so that it is taken before the id is drawn: the
    # sequencer may then trust that every id below its mark belongs to a transaction that has ended.
    Column("transaction", TransactionId, nullable=False, server_default=text("pg_current_xact_id()")),
    Column("id", BigInteger, Identity(always=True, cache=1), nullable=False),
    now_column("at"),
    Column("kind", Text, nullable=False),
    Column("schema_version", SmallInteger, nullable=False),
    Column("trust_ods", Text),
    Column("item_id", BigInteger),
    Column("item_version", Integer),
    Column("reading_id", BigInteger),
    Column("dimensions", JSONB, nullable=False, server_default=text("'{}'")),
    PrimaryKeyConstraint("id", "at"),
    Index("event_item_idx", "item_id"),
    postgresql_partition_by="RANGE (at)",
    comment="Every change, appended in its own transaction; carries no identifiers.",
)

event_position = Table(
    "event_position",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("event_id", BigInteger, nullable=False, unique=True),
    Column("event_at", Instant, nullable=False),
    comment="Dense order of committed events, given by the one sequencer; insert-only.",
)

sequencer_mark = Table(
    "sequencer_mark",
    metadata,
    Column("only", Boolean, primary_key=True, server_default=text("true")),
    Column("settled_event_id", BigInteger, nullable=False, comment="Up to here all have positions."),
    Column("candidate_event_id", BigInteger, nullable=False),
    Column("candidate_horizon", BigInteger, nullable=False),
    comment="How far the sequencer has looked; one row.",
)

consumer_checkpoint = Table(
    "consumer_checkpoint",
    metadata,
    Column("consumer", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
    now_column("moved_at"),
    comment="The position up to which each consumer's effects are in the database.",
)

parked_event = Table(
    "parked_event",
    metadata,
    Column("consumer", Text, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    now_column("parked_at"),
    PrimaryKeyConstraint("consumer", "position"),
    comment="Events that a consumer could not apply, set aside for a person.",
)

audit_lane = Table(
    "lane",
    metadata,
    Column("lane", SmallInteger, primary_key=True, autoincrement=False),
    Column("entries", BigInteger, nullable=False),
    Column("head", LargeBinary, nullable=False),
    schema="audit",
    comment="The 64 hash chains and their heads.",
)

audit_entry = Table(
    "entry",
    metadata,
    Column("lane", SmallInteger, ForeignKey("audit.lane.lane"), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("items", ARRAY(BigInteger), nullable=False),
    Column("payload", Text, comment="Canonical JSON; may be deleted by retention, its digest stays."),
    Column("payload_digest", LargeBinary, nullable=False),
    Column("link", LargeBinary, nullable=False),
    PrimaryKeyConstraint("lane", "sequence", "at"),
    Index("entry_at_idx", "at"),
    Index("entry_items_idx", "items", postgresql_using="gin"),
    schema="audit",
    postgresql_partition_by="RANGE (at)",
    comment="Every read of a patient's item and every change, chained; insert-only.",
)

idempotency_key = Table(
    "idempotency_key",
    metadata,
    Column("user_id", Integer, ForeignKey("app_user.id"), nullable=False),
    Column("key", Text, nullable=False),
    Column("request_digest", LargeBinary, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("body", JSONB),
    now_column("created_at"),
    PrimaryKeyConstraint("user_id", "key"),
    comment="The answer once given under a key, written in the act's own transaction.",
)

test_clock = Table(
    "test_clock",
    metadata,
    Column("only", Boolean, primary_key=True, server_default=text("true")),
    Column("enabled", Boolean, nullable=False),
    Column("moved_by", Interval, nullable=False),
    comment="What radpool_now() adds to the database's clock; moves only while enabled.",
)
