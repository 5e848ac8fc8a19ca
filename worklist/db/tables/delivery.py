"""Tables of what home RIS are to be told: one row for each message and destination, without identifiers."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint, text

from worklist.db.tables.columns import Instant, identity, metadata, now_column, one_of, trust_column
from worklist.home.told import DeliveryState, Notice

delivery = Table(
    "delivery",
    metadata,
    identity(),
    trust_column(),
    Column("destination", Text, ForeignKey("ris.sending_facility"), nullable=False),
    Column("notice", Text, nullable=False),
    Column("item_id", BigInteger, ForeignKey("item.id"), nullable=False),
    Column("report_id", BigInteger, ForeignKey("report.id")),
    Column("reporter_id", Integer, ForeignKey("reporter.id"), comment="Whom the notice names."),
    Column("event_position", BigInteger, nullable=False),
    Column("control_id", Text, nullable=False, unique=True, comment="MSH-10: a message sent again keeps it."),
    Column("made_at", Instant, nullable=False, comment="MSH-7: when what it tells happened."),
    Column("state", Text, nullable=False, server_default=text("'waiting'")),
    Column("attempts", Integer, nullable=False, server_default=text("0"), comment="Since it was last put in line."),
    now_column("next_attempt_at"),
    Column("last_attempt_at", Instant),
    Column("last_answer", Text, comment="What the RIS answered, by codes; never a value."),
    Column("ended_at", Instant, comment="When it was acknowledged, given up or settled by a person."),
    Column("ended_by", Text),
    one_of("state", [state.value for state in DeliveryState]),
    one_of("notice", [notice.value for notice in Notice]),
    UniqueConstraint("event_position", "destination"),
    Index("delivery_line_idx", "destination", "next_attempt_at", postgresql_where=text("state = 'waiting'")),
    Index("delivery_item_idx", "item_id", "id"),
    Index("delivery_report_idx", "report_id"),
    Index("delivery_dead_idx", "trust_ods", postgresql_where=text("state = 'dead'")),
    comment="Messages to home RIS, in order for each item; the words are written when they are sent.",
)
