"""Local accounts and their bearer tokens: made, checked, revoked. A token is shown once, its digest kept."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import Connection, func, insert, select, text
from sqlalchemy.dialects.postgresql import insert as upsert

from api.permissions import NEEDS_TRUST, Principal, Role
from worklist.db.tables.access import api_token, app_user
from worklist.db.tables.network import trust as trust_table
from worklist.db.tables.people import reporter
from worklist.log import audit

#: What a user may be called; without the spaces and colons of the actors that are no users.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


class AccountRefused(ValueError):
    """An account cannot be made as asked; says what is missing."""


def add_user(
    connection: Connection,
    name: str,
    roles: Collection[Role],
    *,
    trust: str | None = None,
    reporter_code: str | None = None,
    by: str = "command line",
) -> int:
    """Make a user, or give the one of that name these roles, and give its id.

    Raises
    ------
    AccountRefused
        If the name could be taken for something else in the audit, the trust or reporter is not known, or
        a role needs one that was not given.
    """
    if not _NAME.fullmatch(name):
        raise AccountRefused(f"{name!r} is no user name: use 1 to 64 letters, digits and . _ @ -")
    reporter_id = None
    if reporter_code is not None:
        reporter_id = connection.scalar(select(reporter.c.id).where(reporter.c.code == reporter_code))
        if reporter_id is None:
            raise AccountRefused(
                f"no reporter {reporter_code!r}; import a configuration with a [[reporter]] of this id"
            )
    if trust is not None and connection.scalar(select(trust_table).where(trust_table.c.ods_code == trust)) is None:
        raise AccountRefused(f"no trust {trust!r}; import a configuration with a [[trust]] of this ods_code")
    if Role.REPORTER in roles and reporter_id is None:
        raise AccountRefused("the role reporter needs --reporter ID")
    if NEEDS_TRUST & set(roles) and trust is None:
        raise AccountRefused(f"the role {', '.join(NEEDS_TRUST & set(roles))} needs --trust ODS")
    values = {"roles": sorted(roles), "trust_ods": trust, "reporter_id": reporter_id, "disabled_at": None}
    user_id = connection.execute(
        upsert(app_user)
        .values(name=name, **values)
        .on_conflict_do_update(index_elements=["name"], set_=values)
        .returning(app_user.c.id)
    ).scalar_one()
    audit.append(connection, by, "user added", detail={"user": name, "roles": sorted(roles), "trust": trust})
    return int(user_id)


def issue_token(connection: Connection, name: str, *, days: int, by: str = "command line") -> str:
    """Make a bearer token for a user and give it; this is the only time that it can be seen.

    Raises
    ------
    AccountRefused
        If there is no such user, or it is disabled.
    """
    user_id = connection.scalar(select(app_user.c.id).where(app_user.c.name == name, app_user.c.disabled_at.is_(None)))
    if user_id is None:
        raise AccountRefused(f"no user {name!r}; add one with `radpool user add {name} --role ROLE`")
    token = f"radpool_{secrets.token_urlsafe(32)}"
    connection.execute(
        insert(api_token).values(
            user_id=user_id, token_digest=_digest(token), expires_at=func.radpool_now() + timedelta(days=days)
        )
    )
    audit.append(connection, by, "token issued", detail={"user": name, "days": days})
    return token


def principal_of(connection: Connection, token: str) -> Principal | None:
    """Give whose token it is; None if it is unknown, expired, revoked, or its user disabled."""
    row = connection.execute(_PRINCIPAL, {"digest": _digest(token)}).one_or_none()
    if row is None:
        return None
    return Principal(row.id, row.name, frozenset(Role(role) for role in row.roles), row.trust_ods, row.reporter_id)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


_PRINCIPAL = text(
    "SELECT u.id, u.name, u.roles, u.trust_ods, u.reporter_id FROM api_token t JOIN app_user u ON u.id = t.user_id"
    " WHERE t.token_digest = :digest AND t.expires_at > radpool_now() AND t.revoked_at IS NULL"
    " AND u.disabled_at IS NULL"
)
