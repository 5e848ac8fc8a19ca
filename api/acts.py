"""Runs a request's use case: who asks, whether they may, one transaction, one answer per idempotency key."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import Connection, Engine, insert, select, text
from sqlalchemy.exc import OperationalError

from api.accounts import principal_of
from api.permissions import RULES, Principal
from api.problems import Problem
from worklist.db.engine import view_as
from worklist.db.tables.log import idempotency_key

_BEARER = HTTPBearer(auto_error=False, description="A token of `radpool token --user NAME`")
_ATTEMPTS = 3
_LONGEST_KEY = 200


@dataclass(frozen=True, slots=True)
class Services:
    """What routes are given by the composition root."""

    engine: Engine
    lease_seconds: float


@dataclass(frozen=True, slots=True)
class Act:
    """A permitted request: who asks, and the means to do it in one transaction."""

    principal: Principal
    services: Services
    request: Request

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Open one transaction that sees identities as the principal may."""
        with self.services.engine.begin() as connection:
            view_as(connection, self.principal.viewer)
            yield connection

    @property
    def reporter_id(self) -> int:
        """The reporter that the principal is."""
        if self.principal.reporter_id is None:
            raise Problem(403, "not-a-reporter", "this account is not a reporter's; add it with --reporter ID")
        return self.principal.reporter_id

    def once(self, do: Callable[[Connection], tuple[int, Any]], body: Any) -> Response:
        """Do something that changes state and answer (status, body); once per Idempotency-Key.

        The answer is stored under the key in the act's own transaction. A transaction that lost a
        deadlock is tried again.
        """
        key = self.request.headers.get("Idempotency-Key")
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with self.transaction() as connection:
                    if key is None:
                        return answer(*do(connection))
                    return self._once_under(connection, key, do, body)
            except OperationalError:
                if attempt == _ATTEMPTS:
                    raise
        raise AssertionError  # the loop returns or raises

    def _once_under(
        self, connection: Connection, key: str, do: Callable[[Connection], tuple[int, Any]], body: Any
    ) -> Response:
        if not 0 < len(key) <= _LONGEST_KEY:
            raise Problem(422, "invalid-request", f"Idempotency-Key: 1 to {_LONGEST_KEY} characters")
        digest = hashlib.sha256(
            f"{self.request.method} {self.request.url.path} {jsonable_encoder(body)!r}".encode()
        ).digest()
        connection.execute(
            text("SELECT pg_advisory_xact_lock(7223008, hashtext(:key))"), {"key": f"{self.principal.user_id} {key}"}
        )
        stored = connection.execute(
            select(idempotency_key).where(
                idempotency_key.c.user_id == self.principal.user_id, idempotency_key.c.key == key
            )
        ).one_or_none()
        if stored is not None:
            if bytes(stored.request_digest) != digest:
                raise Problem(422, "idempotency-key-reused", "this Idempotency-Key was used for another request")
            return answer(stored.status, stored.body)
        status, content = do(connection)
        content = jsonable_encoder(content)
        connection.execute(
            insert(idempotency_key).values(
                user_id=self.principal.user_id, key=key, request_digest=digest, status=status, body=content
            )
        )
        return answer(status, content)


def answer(status: int, content: Any) -> Response:
    """Make a response; None has no body."""
    if content is None:
        return Response(status_code=status)
    media_type = "application/problem+json" if status >= 400 else "application/json"
    return JSONResponse(jsonable_encoder(content), status_code=status, media_type=media_type)


def permitted(request: Request, bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]) -> Act:
    """Know who asks and whether the route's rule lets them; 401 or 403 otherwise."""
    services: Services = request.app.state.services
    if bearer is None:
        raise Problem(401, "not-signed-in", "send `Authorization: Bearer TOKEN`; `radpool token --user NAME` makes one")
    with services.engine.begin() as connection:
        principal = principal_of(connection, bearer.credentials)
    if principal is None:
        raise Problem(401, "not-signed-in", "the token is unknown, expired or revoked")
    rule = rule_of(request)
    if not principal.may(rule):
        needed = ", ".join(sorted(RULES[rule]))
        raise Problem(403, "not-permitted", f"this needs one of the roles {needed}")
    return Act(principal, services, request)


def rule_of(request: Request) -> str:
    """Give the key of the route's rule."""
    path: str = request.scope["route"].path
    return f"{request.method} {path.removeprefix('/api/v1')}"


Permitted = Annotated[Act, Depends(permitted)]
