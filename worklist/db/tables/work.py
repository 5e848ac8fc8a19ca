"""Tables of work: studies as received, items, readings, doubts, and the identities kept apart from them."""

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
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID

from worklist.db.tables.columns import Instant, identity, metadata, now_column, one_of, trust_column
from worklist.item import ItemState
from worklist.reading import Purpose, ReadingState

patient = Table(
    "patient",
    metadata,
    identity(),
    trust_column(),
    Column("issuer", Text, nullable=False, server_default=text("''")),
    Column("identifier", Text, comment="PatientID as sent; null where none was sent (one row per study then)."),
    Column("nhs_number", Text),
    Column("nhs_number_status", Text, nullable=False, server_default=text("'not-sent'")),
    Column("family_name", Text),
    Column("given_name", Text),
    Column("name_key", Text, comment="Upper-case FAMILY^GIVEN, for search by equality."),
    Column("birth_date", Date),
    Column("sex", Text),
    now_column("updated_at"),
    one_of("nhs_number_status", ("not-sent", "invalid", "present-untraced")),
    UniqueConstraint("trust_ods", "issuer", "identifier"),
    comment="Patient identity; forced row-level security. Nothing is merged on the NHS number alone.",
)

study = Table(
    "study",
    metadata,
    identity(),
    trust_column(),
    Column("patient_id", BigInteger, ForeignKey("patient.id"), nullable=False),
    Column("source_ae_title", Text, ForeignKey("source.ae_title"), nullable=False),
    Column("modalities", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("series_count", Integer, nullable=False, server_default=text("0")),
    Column("instance_count", Integer, nullable=False, server_default=text("0")),
    now_column("first_received_at"),
    now_column("last_received_at"),
    Column("quiet_until", Instant, comment="Complete then if nothing more comes; null once it is."),
    Column("completed_at", Instant),
    Column("facts", JSONB, nullable=False, server_default=text("'{}'"), comment="What the headers said, merged."),
    Column("acquisition_ended_at", Instant),
    Column("acquisition_ended_as_sent", Text),
    Column("acquisition_ended_zone", Text),
    Column("acquisition_ended_fold", SmallInteger),
    Column("acquisition_ended_source", Text),
    Index("study_quiet_idx", "quiet_until", postgresql_where=text("quiet_until IS NOT NULL")),
    Index("study_patient_idx", "patient_id"),
    comment="A study as received: counts and times, no identifiers.",
)

study_identity = Table(
    "study_identity",
    metadata,
    Column("study_id", BigInteger, ForeignKey("study.id"), primary_key=True),
    trust_column(),
    Column("study_instance_uid", Text, nullable=False, unique=True),
    comment="Study UID apart from the study; forced row-level security.",
)

series = Table(
    "series",
    metadata,
    identity(),
    Column("study_id", BigInteger, ForeignKey("study.id"), nullable=False),
    Column("series_digest", UUID(as_uuid=True), nullable=False),
    Column("modality", Text),
    Column("instance_count", Integer, nullable=False, server_default=text("0")),
    UniqueConstraint("study_id", "series_digest"),
    comment="A series of a study, by a digest of its UID.",
)

instance = Table(
    "instance",
    metadata,
    Column("series_id", BigInteger, ForeignKey("series.id"), nullable=False),
    Column("sop_digest", UUID(as_uuid=True), nullable=False),
    PrimaryKeyConstraint("series_id", "sop_digest"),
    comment="Each object received, by a digest of its UID: what makes counts exact under re-sends.",
)

item = Table(
    "item",
    metadata,
    identity(),
    trust_column(),
    Column("patient_id", BigInteger, ForeignKey("patient.id"), nullable=False),
    Column("state", Text, nullable=False),
    Column("version", Integer, nullable=False, server_default=text("1")),
    Column("modality", Text),
    Column("age_years", SmallInteger, comment="Completed years at the exam date; null where not known."),
    Column("exam_date", Date),
    Column("setting", Text),
    Column("urgency", Text),
    Column("flags", ARRAY(Text), nullable=False, server_default=text("'{}'"), comment="Exclusions known to hold."),
    Column("clock_start_at", Instant),
    Column("clock_start_source", Text),
    Column("due_at", Instant),
    Column("hard_limit_at", Instant),
    Column("target_rule", Text),
    Column("reporting_minutes", Numeric(7, 2)),
    Column("profile_id", Integer, ForeignKey("profile.id")),
    now_column("created_at"),
    Column("ready_at", Instant),
    Column("reported_at", Instant, comment="When a final report stood; stops the turnaround clock."),
    one_of("state", [state.value for state in ItemState]),
    Index("item_state_due_idx", "state", "due_at", "id"),
    Index("item_trust_state_due_idx", "trust_ods", "state", "due_at", "id"),
    Index("item_patient_idx", "patient_id"),
    Index("item_reported_idx", "reported_at", postgresql_where=text("reported_at IS NOT NULL")),
    comment="One accession of one trust and where it stands; no identifiers.",
)

order_identity = Table(
    "order_identity",
    metadata,
    Column("item_id", BigInteger, ForeignKey("item.id"), primary_key=True),
    trust_column(),
    Column("accession_number", Text, comment="As text: leading zeros are significant."),
    Column("placer_order_number", Text),
    UniqueConstraint("trust_ods", "accession_number"),
    comment="Order identity apart from the item; forced row-level security.",
)

item_order = Table(
    "item_order",
    metadata,
    Column("item_id", BigInteger, ForeignKey("item.id"), primary_key=True),
    trust_column(),
    Column("patient_id", BigInteger, ForeignKey("patient.id"), nullable=False, comment="Whom the order names."),
    Column("control", Text, nullable=False),
    Column("setting", Text),
    Column("urgency", Text),
    Column("exams", JSONB, nullable=False, server_default=text("'[]'"), comment="As sent: [code, scheme, words]."),
    Column("clinical_question", Text, comment="Free words may name people: row-level security is forced."),
    Column("message_at", Instant, nullable=False, comment="When the home RIS made the newest message taken."),
    Column("message_ids", ARRAY(Text), nullable=False, comment="Ids of the messages of that instant that were taken."),
    now_column("received_at"),
    one_of("control", ("new", "change", "cancel")),
    comment="What the newest order message says of an item; what follows from it stands in item.",
)

item_exam = Table(
    "item_exam",
    metadata,
    Column("item_id", BigInteger, ForeignKey("item.id"), nullable=False),
    Column("position", SmallInteger, nullable=False),
    Column("exam_code", Text, ForeignKey("exam.code"), comment="Null: not mapped."),
    Column("code_as_sent", Text),
    Column("description_as_sent", Text),
    Column("mapped_by", Text, nullable=False),
    PrimaryKeyConstraint("item_id", "position"),
    comment="The exams of an item: as sent, and as the catalogue knows them.",
)

item_study = Table(
    "item_study",
    metadata,
    Column("item_id", BigInteger, ForeignKey("item.id"), nullable=False),
    Column("study_id", BigInteger, ForeignKey("study.id"), nullable=False),
    PrimaryKeyConstraint("item_id", "study_id"),
    Index("item_study_study_idx", "study_id"),
    comment="Studies and items are many to many.",
)

worklist_exception = Table(
    "worklist_exception",
    metadata,
    identity(),
    Column("kind", Text, nullable=False),
    trust_column(nullable=True),
    Column("source_ae_title", Text),
    Column("item_id", BigInteger, ForeignKey("item.id")),
    Column("detail", Text, nullable=False, server_default=text("''")),
    Column("occurrences", Integer, nullable=False, server_default=text("1")),
    now_column("opened_at"),
    now_column("last_seen_at"),
    Column("closed_at", Instant),
    Column("closed_by", Text),
    Column("outcome", Text),
    Index(
        "worklist_exception_open_idx",
        "kind",
        "source_ae_title",
        "item_id",
        "detail",
        unique=True,
        postgresql_where=text("closed_at IS NULL"),
        postgresql_nulls_not_distinct=True,
    ),
    Index("worklist_exception_item_idx", "item_id", postgresql_where=text("closed_at IS NULL")),
    comment="What a person must look at, with the reason; never a header value.",
)

reading = Table(
    "reading",
    metadata,
    identity(),
    Column("item_id", BigInteger, ForeignKey("item.id"), nullable=False),
    Column("purpose", Text, nullable=False),
    Column("state", Text, nullable=False),
    trust_column(),
    Column("profile_id", Integer, ForeignKey("profile.id"), nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("reporting_minutes", Numeric(7, 2), nullable=False),
    now_column("free_from"),
    Column("token", BigInteger, nullable=False, server_default=text("0"), comment="Fencing token of the newest claim."),
    Column("for_radiologist", Boolean, nullable=False, server_default=text("false"), comment="Referred on to one."),
    one_of("purpose", [purpose.value for purpose in Purpose]),
    one_of("state", [state.value for state in ReadingState]),
    Index(
        "reading_pool_idx",
        "profile_id",
        "trust_ods",
        "due_at",
        "id",
        postgresql_where=text("state = 'open'"),
    ),
    Index("reading_due_idx", "due_at", "id", postgresql_where=text("state = 'open'")),
    Index(
        "reading_one_first_idx",
        "item_id",
        unique=True,
        postgresql_where=text("purpose = 'first' AND state <> 'withdrawn'"),
    ),
    Index("reading_item_idx", "item_id"),
    comment="What a person claims of an item. Free when open and free_from has passed.",
)
