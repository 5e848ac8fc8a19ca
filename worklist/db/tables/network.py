"""Tables of the network's own facts: trusts, sources, home RIS, exam catalogue, turnaround rules."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    Boolean,
    CheckConstraint,
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
from sqlalchemy.dialects.postgresql import JSONB, UUID

from worklist.db.tables.columns import Instant, dated, identity, metadata, now_column, one_of, trust_column
from worklist.exams.not_offered import NotOfferedReason
from worklist.home.told import Locks
from worklist.turnaround.targets import TargetClock

config_version = Table(
    "config_version",
    metadata,
    identity(big=False),
    now_column("imported_at"),
    Column("imported_by", Text, nullable=False),
    Column("file_name", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("document", JSONB, nullable=False),
    comment="Every network configuration that was ever imported, whole, with who and when.",
)

trust = Table(
    "trust",
    metadata,
    Column("ods_code", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column(
        "known_as",
        ARRAY(Text),
        nullable=False,
        server_default=text("'{}'"),
        comment="By which issuers of accession numbers and institutions name it in headers, beside its code.",
    ),
    comment="A trust of the network; the key of every division of data.",
)

source = Table(
    "source",
    metadata,
    Column("ae_title", Text, primary_key=True),
    trust_column(),
    Column("address", Text, comment="Peer address that the AE title is bound to; null binds it to a certificate."),
    Column("certificate_subject", Text),
    Column("quiet_seconds", Integer, comment="Completeness policy; null takes the server's setting."),
    Column("services", JSONB, nullable=False, server_default=text("'[]'"), comment="Service to setting, urgency."),
    Column("active", Boolean, nullable=False, server_default=text("true")),
    Column(
        "completeness",
        JSONB(none_as_null=True),
        comment="Signals beside the quiet period, and the longest wait for them.",
    ),
    Column("claim_while_arriving", JSONB(none_as_null=True), comment="Settings and urgencies; null takes the default."),
    Column(
        "query", JSONB(none_as_null=True), comment="Where it takes our associations, and when it may be asked of days."
    ),
    Column("swept_at", Instant, comment="When it was last asked about whole days."),
    Column(
        "elsewhere",
        ARRAY(Text),
        nullable=False,
        server_default=text("'{}'"),
        comment="By which issuers and institutions name performers outside the network in headers.",
    ),
    Column("old_after_days", Integer, comment="Studies older than this are work only with an order; null: any are."),
    comment="A PACS or modality that may send to us.",
)

ris = Table(
    "ris",
    metadata,
    trust_column(),
    Column("sending_facility", Text, nullable=False),
    Column("host", Text),
    Column("port", Integer),
    Column("dialect", JSONB, nullable=False, server_default=text("'{}'")),
    Column("locks", Text, nullable=False, server_default=text("'unprotected'"), comment="What it does about ours."),
    Column(
        "sends_reports",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="It sends the reports that are written in it: until then they are not available at home.",
    ),
    Column("address", Text, comment="Address or network that its messages come from; null: any."),
    Column("certificate_subject", Text, comment="Certificate that it is bound to; null: none."),
    Column("tls", Boolean, nullable=False, server_default=text("false"), comment="It takes messages over TLS."),
    PrimaryKeyConstraint("sending_facility"),
    one_of("locks", [one.value for one in Locks]),
    comment="A trust's home RIS: where its messages come from and where ours go.",
)

exam = Table(
    "exam",
    metadata,
    Column("code", Text, primary_key=True),
    Column("description", Text, nullable=False),
    Column("modality", Text, nullable=False),
    Column("body_region", Text, nullable=False),
    Column("subspecialty", Text, comment="The scope group; null: the network has given none yet."),
    Column("laterality", Text, nullable=False),
    Column("reporting_minutes", Numeric(6, 2), comment="The network's own; null: the minutes rules give them."),
    Column("snomed_code", Text),
    Column("ionising", Boolean, nullable=False),
    Column("confidence", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("confirmed_by", Text),
    Column("valid_from", Date, nullable=False),
    Column("valid_to", Date),
    trust_column(nullable=True),
    Column("snomed_description", Text, comment="SNOMED's fully specified name."),
    Column("retired_on", Date, comment="From when it is in no release; valid_to is later by what is allowed."),
    Column("release_id", Integer, ForeignKey("exam_release.id"), comment="The last release that named it."),
    Column("version", Integer, nullable=False, server_default=text("1")),
    comment="The exam catalogue; minutes are the reporting minutes that one exam is valued at.",
)

target_rule = Table(
    "target_rule",
    metadata,
    identity(big=False),
    Column("code", Text, nullable=False),
    trust_column(nullable=True),
    Column("setting", Text),
    Column("urgency", Text),
    Column("modalities", ARRAY(Text)),
    Column("exam_codes", ARRAY(Text)),
    Column("target", Text, nullable=False),
    Column("hard_limit", Text),
    *dated(),
    Column("clock", Text, nullable=False, server_default=text("'report'")),
    one_of("clock", [clock.value for clock in TargetClock]),
    UniqueConstraint("code", "valid_from"),
    comment="Turnaround rules, dated; null conditions match everything; spans as text such as '4 hours'.",
)

not_offered_rule = Table(
    "not_offered_rule",
    metadata,
    identity(big=False),
    Column("code", Text, nullable=False),
    trust_column(nullable=True),
    Column("modalities", ARRAY(Text)),
    Column("exam_codes", ARRAY(Text)),
    Column("settings", ARRAY(Text)),
    Column("reason", Text, nullable=False),
    *dated(),
    one_of("reason", [reason.value for reason in NotOfferedReason]),
    UniqueConstraint("code", "valid_from"),
    comment="What is not offered for network reporting, dated; null conditions match everything.",
)

exam_group = Table(
    "exam_group",
    metadata,
    identity(big=False),
    Column("key", Text, nullable=False, unique=True),
    Column("exam_codes", ARRAY(Text), nullable=False),
    Column("ionising", Boolean, nullable=False),
    comment="Exam codes that no scope of practice tells apart; rows are never changed.",
)

profile = Table(
    "profile",
    metadata,
    identity(big=False),
    Column("key", Text, nullable=False, unique=True),
    Column("exam_groups", ARRAY(Integer), nullable=False),
    Column("unmapped", Boolean, nullable=False),
    Column("age_from", Integer),
    Column("age_to", Integer),
    Column("setting", Text),
    Column("flags", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("ionising", Boolean, nullable=False),
    now_column("created_at"),
    Column("cleared_flags", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("unknown_flags", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Index("profile_exam_groups_idx", "exam_groups", postgresql_using="gin"),
    comment="What clinical eligibility can depend on; rows are never changed. Null age or setting: not known.",
)

profile_cut = Table(
    "profile_cut",
    metadata,
    identity(big=False),
    Column("age_cuts", ARRAY(Integer), nullable=False),
    Column("group_of_exam", JSONB, nullable=False),
    now_column("created_at"),
    Column(
        "flags_of_group",
        JSONB,
        nullable=False,
        server_default=text("'{}'"),
        comment="Exclusion flags that tell a group's work apart; under the empty name those of unmapped work.",
    ),
    comment="How the scopes in force cut ages and exam codes; the newest row is used for new work.",
)

rules_version = Table(
    "rules_version",
    metadata,
    Column("only_one", Boolean, primary_key=True, server_default=text("true")),
    Column("version", UUID(as_uuid=False), nullable=False, server_default=text("gen_random_uuid()")),
    CheckConstraint("only_one", name="only_one"),
    comment="Version of the exams, aliases, turnaround rules and profile cut in force; each change of them renews it.",
)

profile_indexed = Table(
    "profile_indexed",
    metadata,
    Column("profile_id", Integer, ForeignKey("profile.id"), primary_key=True),
    comment="Profiles whose rows in reporter_profile are up to date.",
)
