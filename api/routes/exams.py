"""Routes of the exam catalogue: what is not mapped, what a trust calls exams, and mapping from now on."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from sqlalchemy import Connection

from api.acts import Permitted
from api.problems import Problem
from api.routes.work import trust_filter
from api.schemas.exams import MapExam, MappedExam, Mapping, Mappings, UnmappedExam, UnmappedExams
from worklist.exams.mappings import list_mappings, map_from_now_on, word_as_sent
from worklist.exams.unmapped import list_unmapped
from worklist.log import audit

router = APIRouter(prefix="/exams", tags=["exams"])

_LONGEST = 500


@router.get("/unmapped")
def unmapped(
    act: Permitted, trust: str | None = None, limit: Annotated[int, Query(ge=1, le=_LONGEST)] = 100
) -> UnmappedExams:
    """List what sources call exams that are not mapped, and how many items wait for it; words only to the trust's own.

    Whoever looks after the network sees how many there are of each trust.
    """
    wanted = trust_filter(act, trust)
    with act.transaction() as connection:
        found = list_unmapped(connection, wanted, limit=limit)
        audit.append(
            connection,
            act.principal.name,
            "unmapped exams read",
            detail={"trust": wanted, "listed": len(found), "shown": sum(one.shown for one in found)},
        )
    return UnmappedExams(exams=[UnmappedExam.model_validate(one) for one in found])


@router.get("/mappings")
def mappings(
    act: Permitted, trust: str | None = None, limit: Annotated[int, Query(ge=1, le=_LONGEST)] = 100
) -> Mappings:
    """List a trust's own words for exams, standing and closed: who mapped them, when and why."""
    wanted = trust_filter(act, trust)
    with act.transaction() as connection:
        found = list_mappings(connection, wanted, limit=limit)
        audit.append(
            connection, act.principal.name, "exam mappings read", detail={"trust": wanted, "listed": len(found)}
        )
    return Mappings(mappings=[Mapping.model_validate(one) for one in found])


@router.post("/mappings", response_model=MappedExam, status_code=201)
def map_exam(act: Permitted, body: MapExam) -> Response:
    """Map what a trust calls an exam from now on, and the items that wait with it too."""

    def do(connection: Connection) -> tuple[int, Any]:
        if not act.principal.sees_trust(body.trust):
            raise Problem(404, "not-found", "no such trust of yours")
        try:
            word = word_as_sent(body.trust, body.code, body.scheme, body.description)
        except ValueError as error:
            raise Problem(422, "invalid-request", str(error)) from None
        done = map_from_now_on(
            connection,
            act.principal.name,
            word,
            body.exam,
            body.reason,
            valid_from=body.valid_from,
            exception_id=body.exception_id,
        )
        return 201, MappedExam.model_validate(done)

    return act.once(do, body)
