"""Tables of what people do with an item beside reading it: their acts, what follows of it, a network's reasons."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    ForeignKey,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from worklist.db.tables.columns import Instant, dated, identity, metadata, now_column, one_of, trust_column
from worklist.life.reasons import ReasonedAct

item_act = Table(
    "item_act",
    metadata,
    identity(),
    trust_column(),
    Column("item_id", BigInteger, ForeignKey("item.id"), nullable=False),
    Column("act", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, comment="A code of the list; null where the act undoes another."),
    Column("note", Text, comment="Free words may name people: row-level security is forced."),
    now_column("at"),
    Column("detail", JSONB, comment="What else was done: of a priority, which was given and which it had."),
    Index("item_act_item_idx", "item_id"),
    comment="What a person did with an item beside reading it; forced row-level security.",
)

item_priority = Table(
    "item_priority",
    metadata,
    Column("item_id", BigInteger, ForeignKey("item.id"), primary_key=True),
    trust_column(),
    Column("urgency", Text, nullable=False),
    Column("set_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    now_column("set_at"),
    Column("ordered_urgency", Text, comment="What the newest order of then stated; only another one outranks it."),
    Column("ordered_at", Instant, comment="When that order was made."),
    Column(
        "stated_since",
        ARRAY(Text),
        nullable=False,
        server_default=text("'{}'"),
        comment="What orders state that were made after the act: any but ordered_urgency outranks it.",
    ),
    comment="The urgency that a person gave an item.",
)

act_reason = Table(
    "act_reason",
    metadata,
    Column("act", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("description", Text, nullable=False),
    *dated(),
    PrimaryKeyConstraint("act", "code"),
    one_of("act", [act.value for act in ReasonedAct]),
    comment="A network's own reasons beside the fixed ones.",
)

pause_rule = Table(
    "pause_rule",
    metadata,
    identity(big=False),
    Column("code", Text, nullable=False),
    trust_column(nullable=True),
    Column("act", Text, nullable=False),
    Column("reasons", ARRAY(Text), nullable=False),
    *dated(),
    one_of("act", ("hold", "return-to-site")),
    UniqueConstraint("code", "valid_from"),
    comment="For which acts and reasons the turnaround clock may stand still, dated; never that of the backstop.",
)

clock_pause = Table(
    "clock_pause",
    metadata,
    identity(),
    trust_column(),
    Column("item_id", BigInteger, ForeignKey("item.id"), nullable=False),
    Column("rule", Text, nullable=False),
    Column("act", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("actor", Text, nullable=False),
    now_column("began_at"),
    Column("ended_at", Instant),
    Column("ended_with", Text, comment="The move that ended it."),
    Index("clock_pause_item_idx", "item_id"),
    Index("clock_pause_one_idx", "item_id", unique=True, postgresql_where=text("ended_at IS NULL")),
    comment="When an item's turnaround clock stood still, by which rule, why, and who saw to it.",
)
