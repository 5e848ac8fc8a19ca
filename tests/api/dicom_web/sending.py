"""What DICOMweb senders send in tests: files, metadata, multipart bodies by hand; and where it is sent."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import httpx
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from api.permissions import Role
from tests.api.serving import Served
from tests.dicom_listener.dicom_peers import ct_object

STUDIES = "/dicom-web/PACS_A/studies"
STUDY_UID = "1.2.826.0.1.3680043.8.498.2"
BOUNDARY = "0f3cf5c0-70e0-41ef"
INSTANCES = f'multipart/related; type="application/dicom"; boundary="{BOUNDARY}"'
METADATA = f'multipart/related; type="application/dicom+json"; boundary="{BOUNDARY}"'
FAILED, REFERENCED, OTHERS, REASON, INSTANCE_UID = "00081198", "00081199", "0008119A", "00081197", "00081155"

#: The media type of a part and its bytes.
Part = tuple[str, bytes]


def pacs(served: Served, trust: str = "RXA") -> httpx.Client:
    """Give the client of a trust's PACS manager."""
    return served.as_(Role.PACS_MANAGER, trust=trust)


def an_instance(number: int = 1, **attributes: Any) -> Dataset:
    """Give a CT object, whole as a file; objects of one study differ by number."""
    made = ct_object(**{"SOPInstanceUID": f"{STUDY_UID}.1.{number}", **attributes})
    made.file_meta = FileMetaDataset()
    made.file_meta.MediaStorageSOPClassUID = made.get("SOPClassUID")
    made.file_meta.MediaStorageSOPInstanceUID = made.get("SOPInstanceUID")
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return made


def file_of(data_set: Dataset, transfer_syntax_uid: str = ExplicitVRLittleEndian) -> bytes:
    """Give a data set as a DICOM file."""
    data_set.file_meta.TransferSyntaxUID = UID(transfer_syntax_uid)
    with io.BytesIO() as written:
        data_set.save_as(written, enforce_file_format=True)
        return written.getvalue()


def instances(*data_sets: Dataset) -> bytes:
    """Give the body of a request with instances."""
    return body(("application/dicom", file_of(one)) for one in data_sets)


def metadata(data_sets: Any, *bulk: bytes) -> bytes:
    """Give the body of a request with metadata, as JSON or as bytes, and bulk data."""
    content = data_sets if isinstance(data_sets, bytes) else json.dumps(data_sets).encode()
    return body([("application/dicom+json", content), *(("application/octet-stream", one) for one in bulk)])


def body(parts: Iterable[Part]) -> bytes:
    """Give a multipart body."""
    return b"".join(pieces(parts))


def pieces(parts: Iterable[Part]) -> Iterator[bytes]:
    """Give a multipart body in pieces."""
    for media_type, content in parts:
        yield f"--{BOUNDARY}\r\nContent-Type: {media_type}\r\n\r\n".encode()
        yield content
        yield b"\r\n"
    yield f"--{BOUNDARY}--\r\n".encode()


def post(
    client: httpx.Client,
    content: bytes | Iterator[bytes],
    content_type: str = INSTANCES,
    *,
    to: str = STUDIES,
    headers: Mapping[str, str] | None = None,
) -> httpx.Response:
    """Send a body."""
    return client.post(to, content=content, headers={"Content-Type": content_type, **(headers or {})})


def reasons(answer: httpx.Response) -> list[int]:
    """Give the failure reasons of an answer: of known objects, then of others."""
    items = [*sequence(answer, FAILED), *sequence(answer, OTHERS)]
    return [item[REASON]["Value"][0] for item in items]


def stored(answer: httpx.Response) -> list[str]:
    """Give the UIDs of the objects that an answer says were taken."""
    return [item[INSTANCE_UID]["Value"][0] for item in sequence(answer, REFERENCED)]


def sequence(answer: httpx.Response, tag: str) -> list[dict[str, Any]]:
    assert answer.headers["content-type"] == "application/dicom+json", answer.text
    found: list[dict[str, Any]] = answer.json().get(tag, {}).get("Value", [])
    return found
