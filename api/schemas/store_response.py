"""The answer to a store request: the Store Instances Response Module (PS3.18, I.2) in DICOM JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from api.dicom_web.intake import Outcome

_DICOM_JSON: dict[str, Any] = {"application/dicom+json": {"schema": {"type": "object"}}}
#: What a store request answers besides problems, as the API's description tells it.
STORED: dict[int | str, dict[str, Any]] = {
    200: {"description": "All objects were taken", "content": _DICOM_JSON},
    202: {"description": "Some objects were taken; the others stand with a failure reason", "content": _DICOM_JSON},
    409: {"description": "No object was taken; each stands with a failure reason", "content": _DICOM_JSON},
}
#: What a store request sends.
STORE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "multipart/related with parts of application/dicom, or of application/dicom+json and bulk data",
        "content": {"multipart/related": {"schema": {"type": "string", "format": "binary"}}},
    }
}

_RETRIEVE_URL = "00081190"
_REFERENCED_SOP_CLASS_UID, _REFERENCED_SOP_INSTANCE_UID = "00081150", "00081155"
_FAILURE_REASON = "00081197"
_FAILED_SOP_SEQUENCE, _REFERENCED_SOP_SEQUENCE, _OTHER_FAILURES_SEQUENCE = "00081198", "00081199", "0008119A"


def status_of(outcomes: Sequence[Outcome]) -> int:
    """Give the HTTP status (PS3.18, Table 10.5.3-1): all stored, some, or none."""
    failed = sum(one.failure is not None for one in outcomes)
    if not failed:
        return 200
    return 409 if failed == len(outcomes) else 202


def store_response(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Give the data set of the answer.

    Images are not kept, so there is nowhere to retrieve them from: the Retrieve URL (type 2) is empty.
    A failure of an object whose UIDs could not be read is among the other failures.
    """
    stored = [one for one in outcomes if one.failure is None]
    failed = [one for one in outcomes if one.failure is not None and one.sop_instance_uid is not None]
    others = [one for one in outcomes if one.failure is not None and one.sop_instance_uid is None]
    answer: dict[str, Any] = {_RETRIEVE_URL: {"vr": "UR"}}
    if failed:
        answer[_FAILED_SOP_SEQUENCE] = _sequence([_reference(one) | _reason(one) for one in failed])
    if stored:
        answer[_REFERENCED_SOP_SEQUENCE] = _sequence(
            [_reference(one) | {_RETRIEVE_URL: {"vr": "UR"}} for one in stored]
        )
    if others:
        answer[_OTHER_FAILURES_SEQUENCE] = _sequence([_reason(one) for one in others])
    return answer


def _sequence(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {"vr": "SQ", "Value": items}


def _reference(one: Outcome) -> dict[str, Any]:
    return {
        _REFERENCED_SOP_CLASS_UID: _uid(one.sop_class_uid),
        _REFERENCED_SOP_INSTANCE_UID: _uid(one.sop_instance_uid),
    }


def _uid(uid: str | None) -> dict[str, Any]:
    return {"vr": "UI", "Value": [uid]} if uid else {"vr": "UI"}


def _reason(one: Outcome) -> dict[str, Any]:
    return {_FAILURE_REASON: {"vr": "US", "Value": [one.failure]}}
