"""Reads the headers of one association one after another, and what a series repeats only once.

It gives what `read` gives of each object by itself. It must not interpret what `read` does not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from dicom_listener.header.character_set import CharacterSet
from dicom_listener.header.data_elements import NestedTooDeep
from dicom_listener.header.read import LAST_WANTED, WANTED, acquisition_ended, read_header, wanted_attributes_passed
from dicom_listener.header.series_form import SeriesForm, WalkedObject, learn_form
from dicom_listener.header.top_level import TopLevelWalk
from dicom_listener.header.values import AttributeReader
from worklist.intake.study import ReceivedObject
from worklist.local_time import LocalTime

#: What differs between the objects of a series in the usual case.
_OWN_TIMES = ("AcquisitionDateTime", "AcquisitionDate", "AcquisitionTime", "ContentDate", "ContentTime")
_OWN = ("SOPInstanceUID", *_OWN_TIMES)
_OWN_TAGS = {tag: keyword for tag, (keyword, _) in WANTED.items() if keyword in _OWN}
#: A series whose objects still differ in another way after so many lessons is walked object by object.
_MOST_LESSONS = 16
#: A data set of which more was kept is not learnt from: a form keeps a copy of it.
_MOST_FORM_BYTES = 64 * 1024


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


#: What is an object's own alone, or all that it states, or neither.
_Found = tuple[dict[str, bytes] | None, dict[str, bytes] | None]


class HeaderReader:
    """Reads the headers of one association, one after another: what a series repeats is read once.

    It gives what `read_header` gives. Objects of a series differ in few attributes; when the encoded values of
    all others equal the last object's, only those few are read; where even the bytes around them are the same, they
    are found without a walk.
    """

    def __init__(self, calling_ae_title: str) -> None:
        self._calling_ae_title = calling_ae_title
        self._walk = TopLevelWalk(WANTED, LAST_WANTED)
        self._passed: tuple[bytes, _Found] | None = None
        self._stated: tuple[str, dict[str, bytes]] | None = None
        self._like: ReceivedObject | None = None
        self._charset = CharacterSet(("ascii",), declared=True)
        self._times: tuple[list[bytes | None], LocalTime | None] | None = None
        self._last: WalkedObject | None = None
        self._form: SeriesForm | None = None
        self._lessons = 0

    def passed(self, data: bytes, transfer_syntax_uid: str) -> bool:
        """Tell whether more of the data set could add nothing; the walk is kept for `read` of the same bytes."""
        try:
            found = self._find(data, transfer_syntax_uid)
        except NestedTooDeep:
            return True
        self._passed = data, found
        return found != (None, None) or wanted_attributes_passed(data, transfer_syntax_uid)

    def read(self, data: bytes, transfer_syntax_uid: str) -> ObjectHeader:
        """Give the facts of an object from the first bytes of its encoded data set.

        Raises
        ------
        UnreadableHeader
            As `read_header` does.
        """
        passed, self._passed = self._passed, None
        try:
            own, found = passed[1] if passed and passed[0] is data else self._find(data, transfer_syntax_uid)
        except NestedTooDeep:
            own = found = None
        if own is None:
            if found is None:
                return self._read_whole(data, transfer_syntax_uid)
            own = {keyword: value for keyword in _OWN if (value := found.pop(keyword, None)) is not None}
            if self._like is None or (transfer_syntax_uid, found) != self._stated:
                header = self._read_whole(data, transfer_syntax_uid)
                self._remember(header.like, transfer_syntax_uid, found, data)
                return header
            self._learn(data, transfer_syntax_uid)
        assert self._like is not None
        faults: dict[tuple[str, str], None] = {}
        stated = self._stated[1] if self._stated else {}
        attributes = AttributeReader({**stated, **own}, faults, self._charset)
        uid = attributes.uid("SOPInstanceUID")
        ended = self._ended(attributes, own, faults)
        return ObjectHeader(self._like, uid, ended) if not faults else self._read_whole(data, transfer_syntax_uid)

    def _find(self, data: bytes, transfer_syntax_uid: str) -> _Found:
        """Give what is an object's own where all else is as in the last object's, else all that it states."""
        form = self._form
        if form is not None and form.transfer_syntax_uid == transfer_syntax_uid:
            own = form.own_values(data)
            if own is not None:
                return own, None
        return None, self._walk.read(data, transfer_syntax_uid)

    def _read_whole(self, data: bytes, transfer_syntax_uid: str) -> ObjectHeader:
        received = read_header(data, transfer_syntax_uid, self._calling_ae_title)
        return ObjectHeader(received, received.sop_instance_uid, received.acquisition_ended)

    def _remember(
        self, received: ReceivedObject, transfer_syntax_uid: str, found: dict[str, bytes], data: bytes
    ) -> None:
        """Keep an object to compare the next with; not one with faults, which could lie in what is its own."""
        self._like = received if not received.header_faults else None
        self._stated = transfer_syntax_uid, found
        self._times = self._form = self._last = None
        self._lessons = 0
        if self._like is not None:
            self._learn(data, transfer_syntax_uid)

    def _learn(self, data: bytes, transfer_syntax_uid: str) -> None:
        """Learn from an object that was walked what the objects of its series have in common."""
        if self._lessons == _MOST_LESSONS or len(data) > _MOST_FORM_BYTES:
            return
        self._lessons += 1
        last = self._last
        self._last = walked = WalkedObject(data, tuple(self._walk.positions), transfer_syntax_uid)
        if last is not None:
            self._form = learn_form(last, walked, _OWN_TAGS, WANTED, self._form)

    def _ended(
        self, attributes: AttributeReader, own: dict[str, bytes], faults: dict[tuple[str, str], None]
    ) -> LocalTime | None:
        times = [own.get(keyword) for keyword in _OWN_TIMES]
        if self._times is not None and self._times[0] == times:
            return self._times[1]
        ended = acquisition_ended(attributes)
        self._times = (times, ended) if not faults else None
        return ended
