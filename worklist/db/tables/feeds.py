"""Tables of feeds: who sends, how much came in which hour, and whether it has gone quiet."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKeyConstraint, Integer, PrimaryKeyConstraint, Table, Text

from worklist.db.tables.columns import Instant, metadata, now_column, one_of, trust_column

feed = Table(
    "feed",
    metadata,
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False, comment="AE title of a source, or sending facility of a RIS."),
    trust_column(),
    now_column("last_heard_at"),
    Column("quiet_since", Instant, comment="Since when it has been quiet for longer than is usual; null: it is not."),
    PrimaryKeyConstraint("kind", "name"),
    one_of("kind", ("dicom", "hl7")),
    comment="What sends, and whether silence of it is to be told.",
)

feed_hour = Table(
    "feed_hour",
    metadata,
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("hour", Instant, nullable=False, comment="The UTC hour."),
    Column("heard", Integer, nullable=False, comment="How many messages or objects came in it."),
    PrimaryKeyConstraint("kind", "name", "hour"),
    ForeignKeyConstraint(["kind", "name"], ["feed.kind", "feed.name"]),
    comment="How much a feed sent in each hour of the last weeks.",
)
