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
from psycopg.errors import DeadlockDetected, SerializationFailure
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from api.accounts import principal_of
from api.permissions import RULES, Principal
from api.problems import Problem
from api.replay import Kept, keep_answer, kept_answer, with_identity
from worklist.db.engine import view_as

_BEARER = HTTPBearer(auto_error=False, description="A token of `radpool token --user NAME`")
_ATTEMPTS = 3
_LOST_TO_ANOTHER = (DeadlockDetected, SerializationFailure)
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
            self.see_as_principal(connection)
            yield connection

    def see_as_principal(self, connection: Connection) -> None:
        """See identities as the principal may; to be called anew after a use case that saw more."""
        view_as(connection, self.principal.viewer)

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
            except OperationalError as error:
                # Nothing else is tried again here: a commit whose answer was lost may have happened.
                if attempt == _ATTEMPTS or not isinstance(error.orig, _LOST_TO_ANOTHER):
                    raise
        raise AssertionError  # the loop returns or raises

    def _once_under(
        self, connection: Connection, key: str, do: Callable[[Connection], tuple[int, Any]], body: Any
    ) -> Response:
        if not 0 < len(key) <= _LONGEST_KEY:
            raise Problem(422, "invalid-request", f"Idempotency-Key: 1 to {_LONGEST_KEY} characters")
        asked = f"{self.request.method} {self.request.url.path} {jsonable_encoder(body)!r}"
        digest = hashlib.sha256(asked.encode()).digest()
        kept = kept_answer(connection, self.principal, key)
        if kept is None:
            status, content = do(connection)
            kept = Kept(digest, status, jsonable_encoder(content))
            keep_answer(connection, self.principal, key, kept)
            return answer(kept.status, kept.content)
        if kept.request_digest != digest:
            raise Problem(422, "idempotency-key-reused", "this Idempotency-Key was used for another request")
        return answer(kept.status, with_identity(connection, self.principal, kept.content))


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
