"""Turns the body of a store request (PS3.18, 10.5.1) into the headers of the objects in it, as it arrives.

Pixels and bulk data are dropped as they come; what is held at any moment is one header. It must not keep an
object's facts; `api.dicom_web.intake` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from api.dicom_web.limits import StoreLimits
from api.dicom_web.media_types import DICOM, DICOM_JSON, Related, essence_of
from api.dicom_web.multipart import Mark, MultipartReader, PartBegun
from dicom_listener.header.json_data_sets import DataSets, NotAnArray
from dicom_listener.header.json_model import decode_data_set
from dicom_listener.header.part10 import FileHeader
from dicom_listener.header.read import UnreadableHeader, read_json_header
from dicom_listener.services.storage import (
    CANNOT_UNDERSTAND,
    DATA_SET_DOES_NOT_MATCH_SOP_CLASS,
    OUT_OF_RESOURCES,
)
from worklist.intake.study import ReceivedObject

_PLAIN_ENCODINGS = frozenset({"", "binary", "8bit", "7bit", "identity"})


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An object that cannot be taken: failure reason (PS3.18, I.2.1.2), keyword and why, and its UIDs if known."""

    status: int
    keyword: str
    reason: str
    sop_class_uid: str | None = None
    sop_instance_uid: str | None = None


Sent: TypeAlias = ReceivedObject | Unreadable


class BodyFault(Exception):
    """Why the rest of a body cannot be taken, as a sentence; `status` is the failure reason of what is lost."""

    status = CANNOT_UNDERSTAND


class MalformedBody(BodyFault):
    """Nothing more in the body can be told apart."""


class TooMuch(BodyFault):
    """More parts or objects than one request may have."""

    status = OUT_OF_RESOURCES


class ObjectReader:
    """Reads the objects of one request: `take` its body in pieces of any size, then `end` it.

    `study_instance_uid` is the study that the request is for; an object of another is a failure. None takes any.
    """

    def __init__(
        self, related: Related, ae_title: str, limits: StoreLimits, *, study_instance_uid: str | None = None
    ) -> None:
        self._root = related.root
        self._ae_title = ae_title
        self._limits = limits
        self._study_instance_uid = study_instance_uid
        self._multipart = MultipartReader(related.boundary, limits)
        self._part: _FilePart | _JsonPart | _RefusedPart | None = None
        self._parts = 0
        self._objects = 0

    def take(self, octets: bytes) -> Iterator[Sent]:
        """Take the next bytes, giving each object that they complete.

        Raises
        ------
        BodyFault
            After the last object that could be told apart.
        """
        for event in self._multipart.take(octets):
            if event is Mark.MALFORMED:
                raise MalformedBody("the body is not multipart as its Content-Type says")
            if isinstance(event, PartBegun):
                self._begin(event.headers)
            elif self._part is None:
                continue
            elif isinstance(event, memoryview):
                yield from self._counted(self._part.take(event))
            else:
                part, self._part = self._part, None
                yield from self._counted(part.end())

    def end(self) -> None:
        """Say that all has come.

        Raises
        ------
        MalformedBody
            When the body is cut short.
        """
        if not self._multipart.is_whole:
            raise MalformedBody("the body ends before its last boundary")

    def _begin(self, headers: Mapping[str, str]) -> None:
        self._parts += 1
        if self._parts > self._limits.most_parts:
            raise TooMuch(f"a request may have at most {self._limits.most_parts} parts")
        media_type = essence_of(headers.get("content-type", "")) or self._root
        encodings = {headers.get(name, "").lower() for name in ("content-transfer-encoding", "content-encoding")}
        if media_type not in {DICOM, DICOM_JSON}:
            # beside metadata other parts are bulk data, which nobody needs here
            self._part = None if self._root == DICOM_JSON else _RefusedPart("is in a part of another media type")
        elif not encodings <= _PLAIN_ENCODINGS:
            self._part = _RefusedPart("is in a part that is encoded")
        elif media_type == DICOM:
            self._part = _FilePart(self._ae_title, self._limits)
        else:
            self._part = _JsonPart(self._ae_title, self._limits)

    def _counted(self, objects: Iterator[Sent]) -> Iterator[Sent]:
        for sent in objects:
            self._objects += 1
            if self._objects > self._limits.most_objects:
                raise TooMuch(f"a request may have at most {self._limits.most_objects} objects")
            yield self._of_the_study(sent)

    def _of_the_study(self, sent: Sent) -> Sent:
        asked = self._study_instance_uid
        if asked is None or isinstance(sent, Unreadable) or sent.study_instance_uid == asked:
            return sent
        return Unreadable(
            DATA_SET_DOES_NOT_MATCH_SOP_CLASS,
            "StudyInstanceUID",
            "differs between request and data set",
            sent.sop_class_uid,
            sent.sop_instance_uid,
        )


class _FilePart:
    """A part with one DICOM file."""

    def __init__(self, ae_title: str, limits: StoreLimits) -> None:
        self._ae_title = ae_title
        self._header = FileHeader(limits.header)

    def take(self, octets: memoryview) -> Iterator[Sent]:
        self._header.take(octets)
        return iter(())

    def end(self) -> Iterator[Sent]:
        uids = self._header.sop_class_uid, self._header.sop_instance_uid
        try:
            received = self._header.read(self._ae_title)
        except UnreadableHeader as unreadable:
            yield Unreadable(CANNOT_UNDERSTAND, unreadable.keyword, unreadable.reason, *uids)
            return
        if uids[1] is not None and uids[1] != received.sop_instance_uid:
            differs = "differs between file meta information and data set"
            yield Unreadable(DATA_SET_DOES_NOT_MATCH_SOP_CLASS, "SOPInstanceUID", differs, *uids)
            return
        yield received


class _JsonPart:
    """A part with the metadata of objects, a JSON array of data sets."""

    def __init__(self, ae_title: str, limits: StoreLimits) -> None:
        self._ae_title = ae_title
        self._data_sets = DataSets(limits.header.header_bound_bytes)
        self._is_array = True

    def take(self, octets: memoryview) -> Iterator[Sent]:
        if not self._is_array:
            return
        try:
            for data_set in self._data_sets.take(bytes(octets)):
                yield self._read(data_set)
        except NotAnArray:
            yield self._no_array()

    def end(self) -> Iterator[Sent]:
        if not self._is_array:
            return
        try:
            self._data_sets.end()
        except NotAnArray:
            yield self._no_array()

    def _read(self, data_set: bytes | UnreadableHeader) -> Sent:
        try:
            if isinstance(data_set, UnreadableHeader):
                raise data_set
            return read_json_header(decode_data_set(data_set), self._ae_title)
        except UnreadableHeader as unreadable:
            return Unreadable(CANNOT_UNDERSTAND, unreadable.keyword, unreadable.reason)

    def _no_array(self) -> Unreadable:
        self._is_array = False
        return Unreadable(CANNOT_UNDERSTAND, "DataSet", "is not in a JSON array of data sets")


class _RefusedPart:
    """A part whose object cannot be taken, whatever is in it."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def take(self, octets: memoryview) -> Iterator[Sent]:  # noqa: ARG002 - every part has this shape
        return iter(())

    def end(self) -> Iterator[Sent]:
        yield Unreadable(CANNOT_UNDERSTAND, "DataSet", self._reason)
