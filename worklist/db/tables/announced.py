"""Tables of what sources say of studies beside their objects: performed steps, notices, counts.

A study may be announced long before its first object, or never come. Its UID and accession number stand in
one table under row-level security; everything else is known by digests.
"""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import UUID

from worklist.db.tables.columns import Instant, identity, metadata, now_column, one_of, trust_column
from worklist.intake.study import StepStatus

announced_study = Table(
    "announced_study",
    metadata,
    identity(),
    trust_column(),
    Column("study_instance_uid", Text, nullable=False),
    Column("accession_number", Text, comment="As a step or the source itself states it."),
    Column("available_instances", Integer, comment="The most that a notice named as available."),
    Column("available_whole", Boolean, comment="Whether that notice named nothing as not available."),
    Column("expected_instances", Integer, comment="What the source answered when asked; null: it tells no count."),
    Column("answered_at", Instant, comment="When the source last answered."),
    Column("times_asked", Integer, nullable=False, server_default=text("0")),
    Column("ask_again_at", Instant, comment="Not asked about before then."),
    now_column("first_heard_at"),
    UniqueConstraint("trust_ods", "study_instance_uid"),
    comment="A study that a source spoke of, come or not; forced row-level security.",
)

performed_step = Table(
    "performed_step",
    metadata,
    identity(),
    trust_column(),
    Column("step_digest", UUID(as_uuid=True), nullable=False),
    Column("source_ae_title", Text, ForeignKey("source.ae_title"), nullable=False),
    Column("create_digest", UUID(as_uuid=True), comment="What its N-CREATE said; null while none has come."),
    Column("set_digests", ARRAY(UUID(as_uuid=True)), nullable=False, server_default=text("'{}'")),
    Column("status", Text, nullable=False),
    Column("discontinuation_reason", Text, comment="Code and scheme, no words."),
    Column("ended_at", Instant),
    Column("ended_as_sent", Text),
    Column("ended_zone", Text),
    Column("ended_fold", SmallInteger),
    Column("ended_source", Text),
    now_column("updated_at"),
    one_of("status", [status.value for status in StepStatus]),
    UniqueConstraint("trust_ods", "step_digest"),
    comment="A performed procedure step (MPPS), by a digest of its UID.",
)

performed_series = Table(
    "performed_series",
    metadata,
    Column("step_id", BigInteger, ForeignKey("performed_step.id"), nullable=False),
    Column("series_digest", UUID(as_uuid=True), nullable=False),
    Column("instances", Integer, nullable=False),
    PrimaryKeyConstraint("step_id", "series_digest"),
    comment="How many objects of each series a step says that it made.",
)

performed_step_study = Table(
    "performed_step_study",
    metadata,
    Column("step_id", BigInteger, ForeignKey("performed_step.id"), nullable=False),
    Column("announced_study_id", BigInteger, ForeignKey("announced_study.id"), nullable=False),
    PrimaryKeyConstraint("step_id", "announced_study_id"),
    Index("performed_step_study_study_idx", "announced_study_id"),
    comment="Steps and studies are many to many.",
)

exam_end = Table(
    "exam_end",
    metadata,
    Column("item_id", BigInteger, ForeignKey("item.id"), primary_key=True),
    trust_column(),
    Column("message_at", Instant, nullable=False, comment="When the message was made that says so."),
    Column("ended_at", Instant, comment="Null: it says that no end is known any more."),
    Column("as_sent", Text),
    Column("zone", Text),
    Column("fold", SmallInteger),
    Column("source", Text),
    now_column("heard_at"),
    comment="When an item's examination ended, by the newest message of the home RIS that says so.",
)

forced_completion = Table(
    "forced_completion",
    metadata,
    identity(),
    trust_column(),
    Column("item_id", BigInteger, ForeignKey("item.id"), nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("note", Text, comment="Free words may name people: row-level security is forced."),
    now_column("at"),
    Index("forced_completion_item_idx", "item_id"),
    comment="That a person said of an item that its images are complete.",
)
