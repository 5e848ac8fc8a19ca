"""Reads the media types of a store request (PS3.18, 8.7.3 and 10.5): what is sent, and what may be answered.

Pure but for the multipart library's reading of header values: no I/O, no state.
"""

from __future__ import annotations

from dataclasses import dataclass

from python_multipart.multipart import parse_options_header

DICOM = "application/dicom"
DICOM_JSON = "application/dicom+json"
#: What an Accept header may say so that the answer is acceptable; DICOM JSON is JSON.
_ACCEPTED = frozenset({DICOM_JSON, "application/json", "application/*", "*/*"})
_LONGEST_BOUNDARY = 70  # RFC 2046, 5.1.1


@dataclass(frozen=True, slots=True)
class Related:
    """A multipart/related body: the media type of its root, and its boundary."""

    root: str
    boundary: bytes


def read_related(content_type: str) -> Related | None:
    """Give what a Content-Type says of a store request's body; None where it is not one that is taken.

    A sender that names no type of the root means instances.
    """
    essence, parameters = parse_options_header(content_type)
    root = parameters.get(b"type", DICOM.encode()).decode("latin_1").lower()
    boundary = parameters.get(b"boundary", b"")
    if essence != b"multipart/related" or root not in {DICOM, DICOM_JSON}:
        return None
    return Related(root, boundary) if 0 < len(boundary) <= _LONGEST_BOUNDARY else None


def essence_of(content_type: str) -> str:
    """Give a media type without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def accepts_dicom_json(accept: str | None) -> bool:
    """Whether an Accept header takes the answer, which is DICOM JSON; none takes anything."""
    if accept is None or not accept.strip():
        return True
    return any(_is_wanted(one) for one in accept.split(","))


def _is_wanted(media_range: str) -> bool:
    essence, *parameters = (part.strip().lower().replace(" ", "") for part in media_range.split(";"))
    refused = any(one.startswith("q=") and not one[2:].strip("0.") for one in parameters)
    return essence in _ACCEPTED and not refused
