"""Routes of DICOMweb intake (STOW-RS, PS3.18, 10.5): instances or their metadata, for one source."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect

from api.acts import Act, Permitted
from api.dicom_web.exchange import Store, Storing, carry
from api.dicom_web.media_types import DICOM_JSON, Related, accepts_dicom_json, read_related
from api.dicom_web.sources import find_sender
from api.problems import Problem
from api.schemas.store_response import STORE_BODY, STORED, status_of, store_response
from worklist.intake.senders import Sender

router = APIRouter(prefix="/dicom-web", tags=["dicom"])


@router.post("/{ae_title}/studies", response_class=Response, responses=STORED, openapi_extra=STORE_BODY)
async def store(request: Request, act: Permitted, ae_title: str) -> Response:
    """Take instances or metadata in as sent by a source of your trust; answered after the commit."""
    return await _store(request, act, ae_title, None)


@router.post(
    "/{ae_title}/studies/{study_instance_uid}", response_class=Response, responses=STORED, openapi_extra=STORE_BODY
)
async def store_in_study(request: Request, act: Permitted, ae_title: str, study_instance_uid: str) -> Response:
    """Take instances or metadata of one study in; an object of another study is a failure."""
    return await _store(request, act, ae_title, study_instance_uid)


async def _store(request: Request, act: Act, ae_title: str, study_instance_uid: str | None) -> Response:
    storing: Storing = request.app.state.storing
    with storing.place():
        sender = await storing.in_thread(_sender, act, ae_title, storing.quiet_seconds)
        related = _related(request)
        taking = Store(
            act.services.engine,
            sender,
            act.principal.name,
            related,
            storing.limits,
            study_instance_uid=study_instance_uid,
        )
        try:
            outcomes, whole = await carry(request, storing, taking)
        except ClientDisconnect:
            return Response(status_code=400)  # to nobody: the sender went away
        answer = await storing.in_thread(store_response, outcomes)
    # what is left of a body that nobody reads would have to be waited for
    headers = {} if whole else {"Connection": "close"}
    return JSONResponse(answer, status_code=status_of(outcomes), media_type=DICOM_JSON, headers=headers)


def _sender(act: Act, ae_title: str, quiet_seconds: float) -> Sender:
    """Give the source that the request is for; a refusal is committed to the audit before it is told."""
    peer: Any = act.request.client
    address = peer.host if peer else ""
    with act.services.engine.begin() as connection:
        found = find_sender(connection, act.principal, ae_title, address, quiet_seconds=quiet_seconds)
    if isinstance(found, Exception):
        raise found
    return found


def _related(request: Request) -> Related:
    if not accepts_dicom_json(request.headers.get("Accept")):
        raise Problem(406, "not-acceptable", f"the answer is {DICOM_JSON}; let Accept take it")
    related = read_related(request.headers.get("Content-Type", ""))
    if related is None or request.headers.get("Content-Encoding", "identity").lower() != "identity":
        told = 'send multipart/related with a boundary and type="application/dicom" or "application/dicom+json"'
        raise Problem(415, "unsupported-media-type", told)
    return related
