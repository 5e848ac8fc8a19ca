"""Tables of alerts: what reports alert to with its acknowledgement, and how long each kind may wait."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Table, Text, UniqueConstraint, text

from worklist.alerts.rules import AlertKind
from worklist.db.tables.columns import Instant, dated, identity, metadata, now_column, one_of, trust_column

alert = Table(
    "alert",
    metadata,
    identity(),
    trust_column(),
    Column("item_id", BigInteger, ForeignKey("item.id"), nullable=False),
    Column("report_id", BigInteger, ForeignKey("report.id"), nullable=False),
    Column("kind", Text, nullable=False),
    now_column("raised_at"),
    Column("acknowledge_by", Instant, nullable=False),
    Column("escalated_at", Instant, comment="When it was put before people because nobody had acknowledged it."),
    Column("acknowledged_at", Instant),
    Column("acknowledged_by", Text),
    Column(
        "settled_at", Instant, comment="When a report in place of the recalled one settled it, acknowledged or not."
    ),
    Column("settled_by_report_id", BigInteger, ForeignKey("report.id"), comment="Which report that was."),
    one_of("kind", [kind.value for kind in AlertKind]),
    UniqueConstraint("report_id", "kind"),
    Index(
        "alert_waiting_idx",
        "acknowledge_by",
        "id",
        postgresql_where=text("acknowledged_at IS NULL AND settled_at IS NULL"),
    ),
    Index("alert_item_idx", "item_id"),
    comment="What a report alerts to, and who acknowledged it; no identifiers, the notes are in item_act.",
)

alert_timer = Table(
    "alert_timer",
    metadata,
    identity(big=False),
    Column("kind", Text, nullable=False),
    trust_column(nullable=True),
    Column("within", Text, nullable=False),
    *dated(),
    one_of("kind", [kind.value for kind in AlertKind]),
    UniqueConstraint("kind", "trust_ods", "valid_from", postgresql_nulls_not_distinct=True),
    comment="Within what time an alert must be acknowledged, dated; spans as text such as '4 hours'.",
)
