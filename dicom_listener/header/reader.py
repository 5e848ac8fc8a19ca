"""Reads the headers of one association one after another, and what a series repeats only once.

It gives what `read` gives of each object by itself. It must not interpret what `read` does not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from dicom_listener.header.character_set import CharacterSet
from dicom_listener.header.data_elements import NestedTooDeep, Octets
from dicom_listener.header.read import LAST_WANTED, WANTED, acquisition_ended, read_header, wanted_attributes_passed
from dicom_listener.header.top_level import TopLevelWalk
from dicom_listener.header.values import AttributeReader
from worklist.intake.study import ReceivedObject
from worklist.local_time import LocalTime

#: What differs between the objects of a series in the usual case.
_OWN_TIMES = ("AcquisitionDateTime", "AcquisitionDate", "AcquisitionTime", "ContentDate", "ContentTime")
_OWN = ("SOPInstanceUID", *_OWN_TIMES)


@dataclass(frozen=True, slots=True)
class ObjectHeader:
    """One object's facts, as what it shares with others of its series and what is its own.

    `like` is the object of the series that was read whole; all but these two is the same in both.
    """

    like: ReceivedObject
    sop_instance_uid: str
    acquisition_ended: LocalTime | None

    def received(self) -> ReceivedObject:
        """Give the whole."""
        return replace(self.like, sop_instance_uid=self.sop_instance_uid, acquisition_ended=self.acquisition_ended)


class HeaderReader:
    """Reads the headers of one association, one after another: what a series repeats is read once.

    It gives what `read_header` gives. Objects of a series differ in few attributes; when the encoded values of
    all others equal the last object's, only those few are read.
    """

    def __init__(self, calling_ae_title: str) -> None:
        self._calling_ae_title = calling_ae_title
        self._walk = TopLevelWalk(WANTED, LAST_WANTED)
        self._walked: tuple[Octets, dict[str, bytes] | None] | None = None
        self._stated: tuple[str, dict[str, bytes]] | None = None
        self._like: ReceivedObject | None = None
        self._charset = CharacterSet(("ascii",), declared=True)
        self._times: tuple[list[bytes | None], LocalTime | None] | None = None

    def passed(self, data: bytes, transfer_syntax_uid: str) -> bool:
        """Tell whether more of the data set could add nothing; the walk is kept for `read` of the same bytes."""
        try:
            found = self._walk.read(data, transfer_syntax_uid)
        except NestedTooDeep:
            return True
        self._walked = data, found
        return found is not None or wanted_attributes_passed(data, transfer_syntax_uid)

    def read(self, data: bytes, transfer_syntax_uid: str) -> ObjectHeader:
        """Give the facts of an object from the first bytes of its encoded data set.

        Raises
        ------
        UnreadableHeader
            As `read_header` does.
        """
        walked, self._walked = self._walked, None
        try:
            found = walked[1] if walked and walked[0] is data else self._walk.read(data, transfer_syntax_uid)
        except NestedTooDeep:
            found = None
        if found is None:
            return self._read_whole(data, transfer_syntax_uid)
        own = {keyword: value for keyword in _OWN if (value := found.pop(keyword, None)) is not None}
        if self._like is None or (transfer_syntax_uid, found) != self._stated:
            header = self._read_whole(data, transfer_syntax_uid)
            self._remember(header.like, transfer_syntax_uid, found)
            return header
        faults: dict[tuple[str, str], None] = {}
        attributes = AttributeReader({**found, **own}, faults, self._charset)
        uid = attributes.uid("SOPInstanceUID")
        ended = self._ended(attributes, own)
        return ObjectHeader(self._like, uid, ended) if not faults else self._read_whole(data, transfer_syntax_uid)

    def _read_whole(self, data: bytes, transfer_syntax_uid: str) -> ObjectHeader:
        received = read_header(data, transfer_syntax_uid, self._calling_ae_title)
        return ObjectHeader(received, received.sop_instance_uid, received.acquisition_ended)

    def _remember(self, received: ReceivedObject, transfer_syntax_uid: str, found: dict[str, bytes]) -> None:
        """Keep an object to compare the next with; not one with faults, which could lie in what is its own."""
        self._like = received if not received.header_faults else None
        self._stated = transfer_syntax_uid, found
        self._times = None

    def _ended(self, attributes: AttributeReader, own: dict[str, bytes]) -> LocalTime | None:
        times = [own.get(keyword) for keyword in _OWN_TIMES]
        if self._times is None or self._times[0] != times:
            self._times = times, acquisition_ended(attributes)
        return self._times[1]
