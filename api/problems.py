"""Turns named errors of the use cases into problem details (RFC 9457); holds no rule.

`type` is a stable word for programs, `detail` a sentence for people that says what would help.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DataError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException

from allocation.claims import NotEligible, NotFree, UnknownSession
from allocation.configuration.read import InvalidConfiguration
from allocation.leases import ClaimSuperseded, UnknownClaim
from allocation.reports import StillArriving
from allocation.suspension import SuspensionStands, UnknownGrant
from allocation.workforce import UnknownReporter
from api.dicom_web.exchange import TooManyStores, TooSlow
from api.dicom_web.objects import MalformedBody, TooMuch
from api.dicom_web.sources import BoundElsewhere, UnknownSource
from api.pacs_calls import TooManyCalls
from hl7_listener.delivery.line import NotDead, UnknownDelivery
from worklist.alerts.acts import AlertAcknowledged, AlertSettled, UnknownAlert
from worklist.discrepancies import DiscrepancyStands, NothingWentOut
from worklist.exams.mappings import ExamNotInForce, UnknownException, UnknownTrust
from worklist.item import ForbiddenMove
from worklist.life.acts import AccessionMissing, PriorityStands
from worklist.life.flagging import UnknownFlag
from worklist.life.moves import UnknownItem
from worklist.life.reasons import UnknownReason
from worklist.life.settle import AccessionTaken, NotAwaited, NothingArriving, UnknownExam
from worklist.patients.merges import NotStanding, UnknownMerge

log = structlog.get_logger(__name__)


class Problem(Exception):
    """A refusal that an edge itself decides; carries its status and word."""

    def __init__(self, status: int, kind: str, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.status, self.kind, self.detail, self.more = status, kind, detail, more


#: Error to (status, type, title). What stands here is the API's promise.
KNOWN: dict[type[Exception], tuple[int, str, str]] = {
    UnknownItem: (404, "unknown-item", "No such item"),
    UnknownClaim: (404, "unknown-claim", "No such claim"),
    UnknownAlert: (404, "unknown-alert", "No such alert"),
    AlertAcknowledged: (409, "alert-acknowledged", "Acknowledged already"),
    AlertSettled: (409, "alert-settled", "Settled by another report"),
    NothingWentOut: (422, "nothing-went-out", "No report went out before"),
    DiscrepancyStands: (409, "discrepancy-stands", "Stated already"),
    UnknownReporter: (404, "unknown-reporter", "No such reporter"),
    UnknownGrant: (404, "unknown-grant", "No such grant"),
    SuspensionStands: (409, "suspension-stands", "So already"),
    UnknownSession: (422, "unknown-session", "No such session, or not now"),
    UnknownDelivery: (404, "unknown-delivery", "No such message to a home RIS"),
    NotDead: (409, "not-given-up", "The message was not given up"),
    UnknownMerge: (404, "unknown-merge", "No such merge"),
    NotStanding: (409, "not-standing", "The merge does not stand"),
    UnknownExam: (422, "unknown-exam", "No such exam in the catalogue"),
    ExamNotInForce: (409, "exam-not-in-force", "The exam is in the catalogue no longer"),
    UnknownTrust: (404, "not-found", "No such trust"),
    UnknownException: (422, "unknown-exception", "No such exception"),
    AccessionTaken: (409, "accession-taken", "Accession number in use"),
    NotEligible: (403, "not-eligible", "You may not report this"),
    NotFree: (409, "not-free", "Not free to claim"),
    ClaimSuperseded: (409, "claim-superseded", "The claim no longer holds"),
    StillArriving: (409, "still-arriving", "Images are still arriving"),
    NotAwaited: (409, "not-awaited", "No report is awaited at home"),
    NothingArriving: (409, "nothing-arriving", "No images are arriving"),
    AccessionMissing: (409, "accession-missing", "No accession number"),
    PriorityStands: (409, "priority-stands", "Its priority already"),
    UnknownFlag: (422, "unknown-flag", "No such exclusion flag"),
    UnknownReason: (422, "unknown-reason", "No such reason"),
    ForbiddenMove: (409, "forbidden-move", "The item's state does not allow this"),
    UnknownSource: (404, "unknown-source", "No such source"),
    BoundElsewhere: (403, "not-permitted", "Not from this address"),
    MalformedBody: (400, "malformed-body", "The body cannot be read"),
    TooMuch: (413, "body-too-large", "Too large"),
    TooSlow: (408, "too-slow", "The body does not come"),
    TooManyStores: (503, "busy", "Try again"),
    TooManyCalls: (503, "busy", "Try again"),
    InvalidConfiguration: (422, "invalid-configuration", "The configuration cannot be taken"),
}


#: What goes with a status: after 408 nobody waits for the rest of the body.
_HEADERS = {401: {"WWW-Authenticate": "Bearer"}, 408: {"Connection": "close"}, 503: {"Retry-After": "1"}}


def install(app: FastAPI) -> None:
    """Answer every known error with problem details."""
    for error, (status, kind, title) in KNOWN.items():
        app.add_exception_handler(error, _known(status, kind, title))
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(DataError, _not_storable)
    app.add_exception_handler(DBAPIError, _database_away)
    app.add_exception_handler(PoolTimeoutError, _database_away)


def problem(status: int, kind: str, title: str, detail: str, **more: Any) -> JSONResponse:
    """Make a problem response."""
    headers = _HEADERS.get(status, {})
    return JSONResponse(
        {"type": kind, "title": title, "status": status, "detail": detail, **more},
        status_code=status,
        media_type="application/problem+json",
        headers=headers,
    )


Handler = Callable[[Request, Exception], JSONResponse]


def _known(status: int, kind: str, title: str) -> Handler:
    def handle(_: Request, error: Exception) -> JSONResponse:
        return problem(status, kind, title, str(error), **_more(error))

    return handle


def _more(error: Exception) -> dict[str, Any]:
    if isinstance(error, NotEligible):
        return {"reasons": [{"condition": one.condition, "detail": one.detail} for one in error.reasons]}
    if isinstance(error, InvalidConfiguration):
        return {"faults": [str(fault) for fault in error.faults]}
    return {}


def _problem(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)
    return problem(error.status, error.kind, error.kind.replace("-", " ").capitalize(), error.detail, **error.more)


def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    kinds = {404: "not-found", 405: "method-not-allowed"}
    response = problem(
        error.status_code, kinds.get(error.status_code, "http-error"), str(error.detail), str(error.detail)
    )
    response.headers.update(error.headers or {})
    return response


def _invalid(_: Request, error: Exception) -> JSONResponse:
    """Name each field that is wrong and why, without quoting what was sent."""
    assert isinstance(error, RequestValidationError)
    errors = [{"field": ".".join(map(str, one["loc"])), "detail": one["msg"]} for one in error.errors()]
    told = "; ".join(f"{one['field']}: {one['detail']}" for one in errors)
    return problem(422, "invalid-request", "The request is not valid", told, errors=errors)


def _not_storable(_: Request, error: Exception) -> JSONResponse:
    log.info("a value that cannot be kept was refused", error=type(error).__name__)
    told = "a value holds characters that cannot be kept, such as U+0000, or a number out of range"
    return problem(422, "invalid-request", "The request is not valid", told)


def _database_away(_: Request, error: Exception) -> JSONResponse:
    log.warning("database fault", error=type(error).__name__)
    told = "the database did not answer; send the same again, with the same Idempotency-Key"
    return problem(503, "try-again", "Try again", told)
