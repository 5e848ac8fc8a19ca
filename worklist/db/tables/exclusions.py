"""Tables of exclusion flags: the rules that tell them, and what people said of an item's."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

from worklist.db.tables.columns import dated, identity, metadata, now_column, one_of, trust_column
from worklist.exclusions.flags import FlagState

#: What can be said of a flag; that it is not known, nobody says.
_SAID = (FlagState.YES.value, FlagState.NO.value)

flag_rule = Table(
    "flag_rule",
    metadata,
    identity(big=False),
    Column("code", Text, nullable=False),
    Column("flag", Text, nullable=False),
    Column("state", Text, nullable=False),
    trust_column(nullable=True),
    Column("exam_codes", ARRAY(Text)),
    Column("modalities", ARRAY(Text)),
    Column("settings", ARRAY(Text)),
    Column("urgencies", ARRAY(Text)),
    Column("min_age_years", Integer),
    Column("max_age_years", Integer),
    Column("words", ARRAY(Text), comment="Looked for in the clinical question; they only tell that a flag is so."),
    *dated(),
    one_of("state", _SAID),
    CheckConstraint("words IS NULL OR state = 'yes'", name="words"),
    UniqueConstraint("code", "valid_from"),
    comment="What tells whether an exclusion flag is so of an item, dated; null conditions match everything.",
)

item_flag = Table(
    "item_flag",
    metadata,
    Column("item_id", BigInteger, ForeignKey("item.id"), nullable=False),
    trust_column(),
    Column("flag", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("looked_at", Text, nullable=False, comment="Digest of the exams and clinical question that it was said of."),
    Column("stated_by", Text, nullable=False),
    now_column("stated_at"),
    PrimaryKeyConstraint("item_id", "flag"),
    one_of("state", _SAID),
    comment="What a person said last of an item's exclusion flag; the acts before stand in item_act.",
)
