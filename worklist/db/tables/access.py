"""Tables of who may sign in: people and services, and their bearer tokens."""

from __future__ import annotations

from sqlalchemy import ARRAY, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text

from worklist.db.tables.columns import Instant, identity, metadata, now_column, trust_column

app_user = Table(
    "app_user",
    metadata,
    identity(big=False),
    Column("name", Text, nullable=False, unique=True),
    Column("roles", ARRAY(Text), nullable=False),
    trust_column(nullable=True),
    Column("reporter_id", Integer, ForeignKey("reporter.id")),
    now_column("created_at"),
    Column("disabled_at", Instant),
    comment="A local account.",
)

api_token = Table(
    "api_token",
    metadata,
    identity(),
    Column("user_id", Integer, ForeignKey("app_user.id"), nullable=False),
    Column("token_digest", LargeBinary, nullable=False, unique=True),
    now_column("created_at"),
    Column("expires_at", Instant, nullable=False),
    Column("revoked_at", Instant),
    Index("api_token_user_idx", "user_id"),
    comment="Bearer tokens, by SHA-256; the token itself is shown once and never stored.",
)
