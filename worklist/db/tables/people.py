"""Tables of the workforce: reporters, what they may report and for whom, sessions, and the index of eligibility."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    Boolean,
    Column,
    Date,
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
from sqlalchemy.dialects.postgresql import JSONB, ExcludeConstraint

from worklist.db.tables.columns import Instant, identity, metadata, one_of, trust_column

reporter = Table(
    "reporter",
    metadata,
    identity(big=False),
    Column("code", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("profession", Text, nullable=False),
    Column("grade", Text, nullable=False),
    Column("subspecialties", JSONB, nullable=False, server_default=text("'{}'")),
    Column("suspended_at", Instant),
    comment="A radiologist, reporting radiographer or other who reports; subspecialties with proficiency 1 to 5.",
)

registration = Table(
    "registration",
    metadata,
    Column("reporter_id", Integer, ForeignKey("reporter.id"), nullable=False),
    Column("body", Text, nullable=False),
    Column("number", Text, nullable=False),
    Column("valid_until", Date, nullable=False),
    PrimaryKeyConstraint("reporter_id", "body"),
    comment="Professional registration (GMC, HCPC), good to the end of valid_until.",
)

engagement = Table(
    "engagement",
    metadata,
    identity(big=False),
    Column("code", Text, nullable=False, unique=True),
    Column("reporter_id", Integer, ForeignKey("reporter.id"), nullable=False),
    trust_column(name="payer"),
    Column("kind", Text, nullable=False),
    Column("assignment_number", Text),
    Column("band", Text),
    Column("whole_time_equivalent", Numeric(4, 2)),
    Column("valid_from", Date, nullable=False),
    Column("valid_until", Date),
    comment="A post: who pays, under which assignment number.",
)

entitlement = Table(
    "entitlement",
    metadata,
    identity(big=False),
    Column("reporter_id", Integer, ForeignKey("reporter.id"), nullable=False),
    trust_column(),
    Column("basis", Text, nullable=False),
    Column("operator", Boolean, nullable=False),
    Column("system_access", Boolean, nullable=False),
    Column("valid_from", Date, nullable=False),
    Column("valid_until", Date, nullable=False),
    Column("signatory", Text, nullable=False),
    Index("entitlement_reporter_idx", "reporter_id"),
    comment="One performing employer's written permission; operator covers ionising work under IR(ME)R 2017.",
)

scope_of_practice = Table(
    "scope_of_practice",
    metadata,
    identity(big=False),
    Column("code", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("exam_codes", ARRAY(Text), nullable=False),
    Column("min_age_years", Integer),
    Column("max_age_years", Integer),
    Column("settings", ARRAY(Text)),
    Column("excluded_flags", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("classifies_unmapped", Boolean, nullable=False, server_default=text("false")),
    Column("signed_by", Text, nullable=False),
    Column("valid_from", Date, nullable=False),
    Column("valid_until", Date, nullable=False),
    UniqueConstraint("code", "version"),
    comment="A network-wide scope, its exam list expanded and frozen at signing. Null settings: any, also unknown.",
)

scope_grant = Table(
    "scope_grant",
    metadata,
    identity(big=False),
    Column("reporter_id", Integer, ForeignKey("reporter.id"), nullable=False),
    Column("scope_id", Integer, ForeignKey("scope_of_practice.id"), nullable=False),
    Column("level", Text, nullable=False),
    Column("signatory", Text, nullable=False),
    Column("min_age_years", Integer),
    Column("max_age_years", Integer),
    Column("settings", ARRAY(Text)),
    Column("valid_from", Date, nullable=False),
    Column("valid_until", Date, nullable=False),
    Column("suspended_at", Instant),
    UniqueConstraint("reporter_id", "scope_id"),
    one_of("level", ("trainee", "preceptee", "autonomous")),
    comment="A scope given to a reporter, with limits that may only be narrower than the scope's.",
)

reporting_session = Table(
    "reporting_session",
    metadata,
    identity(big=False),
    Column("code", Text, nullable=False, unique=True),
    Column("reporter_id", Integer, ForeignKey("reporter.id"), nullable=False),
    Column("engagement_id", Integer, ForeignKey("engagement.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("location", Text, nullable=False),
    Column("trusts", ARRAY(Text)),
    Column("modalities", ARRAY(Text)),
    Column("outside_job_plan_attested", Boolean, nullable=False, server_default=text("false")),
    Column("cancelled_at", Instant),
    one_of("kind", ("job_planned", "insourced", "on_call", "duty")),
    one_of("location", ("site", "home")),
    ExcludeConstraint(
        (text("int4range(reporter_id, reporter_id, '[]')"), "&&"),
        (text("tstzrange(starts_at, ends_at)"), "&&"),
        where=text("cancelled_at IS NULL"),
        name="reporting_session_no_overlap",
    ),
    Index("reporting_session_starts_idx", "starts_at"),
    comment="A person's session of reporting; two of one person never overlap.",
)

reporter_profile = Table(
    "reporter_profile",
    metadata,
    Column("reporter_id", Integer, ForeignKey("reporter.id"), nullable=False),
    Column("profile_id", Integer, ForeignKey("profile.id"), nullable=False),
    Column("level", Text, nullable=False),
    Column("valid_until", Instant, nullable=False),
    PrimaryKeyConstraint("reporter_id", "profile_id"),
    Index("reporter_profile_profile_idx", "profile_id"),
    comment="Index of clinical eligibility; derived, never the judge.",
)

reporter_trust = Table(
    "reporter_trust",
    metadata,
    Column("reporter_id", Integer, ForeignKey("reporter.id"), nullable=False),
    trust_column(),
    Column("ionising", Boolean, nullable=False),
    Column("valid_until", Instant, nullable=False),
    PrimaryKeyConstraint("reporter_id", "trust_ods", "ionising"),
    comment="Index of entitlement per performing trust, ionising work apart; derived, never the judge.",
)

reporter_indexed = Table(
    "reporter_indexed",
    metadata,
    Column("reporter_id", Integer, ForeignKey("reporter.id"), primary_key=True),
    Column("good_until", Instant, nullable=False, comment="When a date next changes what this reporter may report."),
    comment="Reporters whose rows in reporter_profile and reporter_trust are up to date, and until when.",
)
