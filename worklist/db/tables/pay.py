"""Tables of pay: rate cards that are never edited and a ledger that is only appended to."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
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
    Time,
    UniqueConstraint,
    text,
)

from worklist.db.tables.columns import Instant, identity, metadata, now_column, one_of, trust_column

rate_card = Table(
    "rate_card",
    metadata,
    identity(big=False),
    Column("code", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("valid_from", Date, nullable=False),
    Column("valid_to", Date),
    Column("approved_by", ARRAY(Text), nullable=False),
    Column("additional_exam_percent", Integer, nullable=False),
    UniqueConstraint("code", "version"),
    comment="The network's rates; a change is a new version.",
)

tariff = Table(
    "tariff",
    metadata,
    Column("rate_card_id", Integer, ForeignKey("rate_card.id"), nullable=False),
    Column("code", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("amount_pence", Integer, nullable=False),
    Column("purposes", ARRAY(Text), nullable=False),
    Column("exam_codes", ARRAY(Text)),
    Column("modalities", ARRAY(Text)),
    PrimaryKeyConstraint("rate_card_id", "code"),
    comment="What one unit of one kind of work pays, in pence, before the window's multiplier.",
)

rate_window = Table(
    "rate_window",
    metadata,
    Column("rate_card_id", Integer, ForeignKey("rate_card.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("days", ARRAY(SmallInteger), nullable=False, comment="0 is Monday."),
    Column("starts", Time, nullable=False),
    Column("ends", Time, nullable=False),
    Column("bank_holidays", Boolean, nullable=False),
    Column("multiplier_percent", Integer, nullable=False),
    PrimaryKeyConstraint("rate_card_id", "name"),
    comment="Hours by the Europe/London clock in which tariffs are multiplied.",
)

outsource_price = Table(
    "outsource_price",
    metadata,
    Column("modality", Text, nullable=False),
    Column("valid_from", Date, nullable=False),
    Column("amount_pence", Integer, nullable=False),
    Column("source", Text, nullable=False),
    PrimaryKeyConstraint("modality", "valid_from"),
    comment="Reference price of a report bought outside, for comparison only.",
)

pay_line = Table(
    "pay_line",
    metadata,
    identity(),
    Column("kind", Text, nullable=False),
    Column("reading_id", BigInteger, ForeignKey("reading.id"), nullable=False),
    Column("report_id", BigInteger, ForeignKey("report.id"), nullable=False),
    Column("claim_id", BigInteger, ForeignKey("claim.id"), nullable=False),
    Column("reporter_id", Integer, ForeignKey("reporter.id"), nullable=False),
    Column("session_id", Integer, ForeignKey("reporting_session.id"), nullable=False),
    Column("engagement_id", Integer, ForeignKey("engagement.id"), nullable=False),
    trust_column(name="payer"),
    trust_column(name="host"),
    Column("tariff_code", Text, nullable=False),
    Column("units", Numeric(11, 4), nullable=False),
    Column("rate_pence", Integer, nullable=False),
    Column("multiplier_percent", Integer, nullable=False),
    Column("window", Text, nullable=False),
    Column("amount_pence", BigInteger, nullable=False),
    Column("rate_card_id", Integer, ForeignKey("rate_card.id"), nullable=False),
    Column("derivation", ARRAY(Text), nullable=False),
    Column("event_position", BigInteger, nullable=False),
    Column("reverses", BigInteger, ForeignKey("pay_line.id")),
    Column("earned_at", Instant, nullable=False),
    now_column("posted_at"),
    one_of("kind", ("earning", "reversal", "correction")),
    UniqueConstraint("event_position", "tariff_code", "kind"),
    Index("pay_line_reporter_idx", "reporter_id", "earned_at"),
    Index(
        "pay_line_once_idx",
        "report_id",
        "tariff_code",
        unique=True,
        postgresql_where=text("kind = 'earning'"),
    ),
    Index("pay_line_reversed_once_idx", "reverses", unique=True, postgresql_where=text("reverses IS NOT NULL")),
    comment="The ledger: appended, never edited or deleted; a correction is a reversal and a new line.",
)

held_pay = Table(
    "held_pay",
    metadata,
    identity(),
    Column("report_id", BigInteger, ForeignKey("report.id"), unique=True),
    Column("reporter_id", Integer, ForeignKey("reporter.id"), nullable=False),
    Column("reason", Text, nullable=False),
    Column("event_position", BigInteger, nullable=False),
    now_column("held_at"),
    Column("settled_at", Instant),
    Column("settled_by", Text),
    Column("outcome", Text),
    Column(
        "claim_id", BigInteger, ForeignKey("claim.id"), unique=True, comment="Of work that was ended before a report."
    ),
    comment="Work whose pay is in doubt, for a person to decide; the report itself stands.",
)
