"""Keeps the header of one DICOM file (PS3.10, 7.1) as its bytes go by: meta information, then the data set's beginning.

What is kept is bounded whatever comes, also where the data set is deflated; pixels go by. It must not
interpret a value.
"""

from __future__ import annotations

import re
import zlib
from struct import Struct

from dicom_listener.header.data_elements import Octets
from dicom_listener.header.read import UnreadableHeader, read_header, wanted_attributes_passed
from dicom_listener.limits import Limits
from worklist.intake.study import ReceivedObject

#: Deflated Explicit VR Little Endian (PS3.5, A.5), JPIP Referenced Deflate and JPIP HTJ2K Referenced Deflate.
DEFLATED = frozenset({"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"})

_PREAMBLE_BYTES = 128
_PREFIX = b"DICM"
_META_GROUP = 0x0002
_GROUP_LENGTH, _SOP_CLASS_UID, _SOP_INSTANCE_UID, _TRANSFER_SYNTAX_UID = 0x0000, 0x0002, 0x0003, 0x0010
_HEAD = Struct("<HH2sH")
_LONG_LENGTH = Struct("<L")
_LONG_VRS = frozenset({b"OB", b"OW", b"UN", b"UT", b"SQ", b"OD", b"OF", b"OL", b"UC", b"UR"})
_UID = re.compile(r"[0-9.]{1,64}")


class FileHeader:
    """The header of one file: `take` its bytes in pieces of any size, then `read` it."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._meta = _FileMeta(limits.header_bound_bytes)
        self._inflate: zlib._Decompress | None = None
        self._data_set = bytearray()
        self._keep_bytes = limits.header_keep_bytes
        self._fault: UnreadableHeader | None = None

    @property
    def sop_class_uid(self) -> str | None:
        """The SOP class that the meta information names, if it names one."""
        return self._meta.uid(_SOP_CLASS_UID)

    @property
    def sop_instance_uid(self) -> str | None:
        """The SOP instance that the meta information names, if it names one."""
        return self._meta.uid(_SOP_INSTANCE_UID)

    @property
    def kept_bytes(self) -> int:
        """How much of the file is held now."""
        return self._meta.kept_bytes + len(self._data_set)

    def take(self, octets: Octets) -> None:
        """Keep what is header of the file's next bytes, and drop the rest."""
        if self._fault is not None or not self._keep_bytes:
            return
        try:
            follows = octets if self._meta.is_whole else self._begin(octets)
            if follows is not None and self._inflate is not None:
                self._keep_inflated(follows)
            elif follows is not None:
                self._keep(follows)
        except UnreadableHeader as fault:
            self._fault = fault

    def read(self, calling_ae_title: str) -> ReceivedObject:
        """Give the facts of the object; the file may end anywhere in its data set.

        Raises
        ------
        UnreadableHeader
            When this is no DICOM file, its meta information names no transfer syntax, it cannot be inflated,
            or its header cannot be read.
        """
        if self._fault is not None:
            raise self._fault
        transfer_syntax_uid = self._meta.uid(_TRANSFER_SYNTAX_UID)
        if not self._meta.is_whole:
            raise UnreadableHeader("DataSet", "is missing or no DICOM file")
        if transfer_syntax_uid is None:
            raise UnreadableHeader("TransferSyntaxUID", "is missing")
        return read_header(self._data_set, transfer_syntax_uid, calling_ae_title)

    def _begin(self, octets: Octets) -> Octets | None:
        """Take meta information; give what follows it once it is whole."""
        follows = self._meta.take(octets)
        if follows is not None and self._meta.uid(_TRANSFER_SYNTAX_UID) in DEFLATED:
            self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        return follows

    def _keep(self, octets: Octets) -> None:
        coming = memoryview(octets)
        while coming and self._keep_bytes:
            room = self._keep_bytes - len(self._data_set)
            self._data_set += coming[:room]
            coming = coming[room:]
            self._keep_more_if_full()

    def _keep_inflated(self, octets: Octets) -> None:
        assert self._inflate is not None
        coming: Octets = octets
        while self._keep_bytes:
            try:
                self._data_set += self._inflate.decompress(coming, self._keep_bytes - len(self._data_set))
            except zlib.error:
                raise UnreadableHeader("DataSet", "cannot be inflated") from None
            coming = self._inflate.unconsumed_tail
            if not self._keep_more_if_full():
                return

    def _keep_more_if_full(self) -> bool:
        """When what may be kept is full, double it, or stop keeping where no more can help; give whether it was."""
        if len(self._data_set) < self._keep_bytes:
            return False
        bound = self._limits.header_bound_bytes
        if self._keep_bytes >= bound or wanted_attributes_passed(self._data_set, self._transfer_syntax_uid):
            self._keep_bytes = 0
        else:
            self._keep_bytes = min(2 * self._keep_bytes, bound)
        return True

    @property
    def _transfer_syntax_uid(self) -> str:
        return self._meta.uid(_TRANSFER_SYNTAX_UID) or ""


class _FileMeta:
    """Reads preamble, prefix and group 0002, each element once, however the bytes are cut."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._octets = bytearray()
        self._position: int | None = None
        self._stated_end: int | None = None
        self._values: dict[int, bytes] = {}
        self.is_whole = False

    @property
    def kept_bytes(self) -> int:
        return len(self._octets)

    def uid(self, element: int) -> str | None:
        """Give a UID of the meta information, if it is there and looks like one."""
        text = self._values.get(element, b"").strip(b" \0").decode("latin_1")
        return text if _UID.fullmatch(text) else None

    def take(self, octets: Octets) -> Octets | None:
        """Take the next bytes, and give those of the data set once this is whole."""
        room = self._most_bytes - len(self._octets)
        self._octets += memoryview(octets)[:room]
        if self._position is None and len(self._octets) >= _PREAMBLE_BYTES + len(_PREFIX):
            self._position = _begin_of_meta(self._octets)
        while self._position is not None and not self.is_whole:
            if not self._step(self._position):
                break
        if self.is_whole:
            # the tag that told of the end may have come in the piece before
            follows = bytes(self._octets[self._position :]) + bytes(memoryview(octets)[room:])
            self._octets.clear()
            return follows
        if len(self._octets) >= self._most_bytes:
            raise UnreadableHeader("DataSet", "follows meta information over the limit")
        return None

    def _step(self, position: int) -> bool:
        """Take one element, or the end of the group; False while it is not all here."""
        if position == self._stated_end:
            self.is_whole = True
            return True
        if len(self._octets) < position + _HEAD.size:
            return False
        group, element, vr, length = _HEAD.unpack_from(self._octets, position)
        if group != _META_GROUP:
            self.is_whole = True
            return True
        start = position + _HEAD.size
        if vr in _LONG_VRS:
            if len(self._octets) < start + _LONG_LENGTH.size:
                return False
            (length,) = _LONG_LENGTH.unpack_from(self._octets, start)
            start += _LONG_LENGTH.size
        if start + length > self._most_bytes:
            raise UnreadableHeader("DataSet", "follows meta information over the limit")
        if len(self._octets) < start + length:
            return False
        self._note(element, bytes(self._octets[start : start + length]), start + length)
        return True

    def _note(self, element: int, value: bytes, end: int) -> None:
        if element == _GROUP_LENGTH and len(value) == _LONG_LENGTH.size:
            self._stated_end = end + int.from_bytes(value, "little")
        elif element in {_SOP_CLASS_UID, _SOP_INSTANCE_UID, _TRANSFER_SYNTAX_UID}:
            self._values.setdefault(element, value)
        self._position = end


def _begin_of_meta(octets: bytearray) -> int:
    """Give where group 0002 begins: after the preamble and its prefix, or at once for senders that leave them out."""
    after = _PREAMBLE_BYTES + len(_PREFIX)
    if octets[_PREAMBLE_BYTES:after] == _PREFIX:
        return after
    if octets.startswith(b"\x02\0"):
        return 0
    raise UnreadableHeader("DataSet", "is not in a DICOM file")
