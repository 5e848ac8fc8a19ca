"""The metadata and the few column forms that all tables share; holds no table of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Integer,
    MetaData,
    Text,
    text,
)
from sqlalchemy.types import UserDefinedType

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)

Instant = DateTime(timezone=True)


class TransactionId(UserDefinedType[str]):
    """PostgreSQL's 64-bit transaction number (`xid8`)."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """Name the type in DDL."""
        return "xid8"


def identity(*, big: bool = True) -> Column[Any]:
    """Primary key `id`, numbered by the database."""
    return Column("id", BigInteger if big else Integer, Identity(always=True), primary_key=True)


def now_column(name: str) -> Column[Any]:
    """A not-null instant that defaults to `radpool_now()`."""
    return Column(name, Instant, nullable=False, server_default=text("radpool_now()"))


def one_of(column: str, values: Iterable[str]) -> CheckConstraint:
    """Constrain a text column to the given words."""
    words = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({words})", name=column)


def trust_column(*, nullable: bool = False, name: str = "trust_ods", primary_key: bool = False) -> Column[Any]:
    """A reference to a trust by its ODS code."""
    return Column(name, Text, ForeignKey("trust.ods_code"), nullable=nullable, primary_key=primary_key)


def dated() -> tuple[Column[Any], ...]:
    """What every dated rule states: its first and last local day, where it comes from and who agreed to it."""
    return (
        Column("valid_from", Date, nullable=False),
        Column("valid_to", Date),
        Column("source", Text, nullable=False),
        Column("confirmed_by", Text),
    )
