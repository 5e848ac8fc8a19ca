"""The shape of problem details (RFC 9457), as the API's description tells it."""

from __future__ import annotations

from typing import Any

_SCHEMA: dict[str, Any] = {
    "title": "Problem",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "description": "a stable word for programs"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "a sentence for people that says what would help"},
    },
}

_MEANINGS = {
    401: "Not signed in",
    403: "Not permitted, or not eligible: then `reasons` says why",
    404: "No such thing that is yours to see",
    409: "What is asked for no longer holds or cannot be had",
    413: "The body is too large",
    422: "The request is not valid: `errors` names the fields",
    503: "Try again",
}

#: What any operation may answer besides what it is for.
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": meaning, "content": {"application/problem+json": {"schema": _SCHEMA}}}
    for status, meaning in _MEANINGS.items()
}
