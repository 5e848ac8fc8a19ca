"""Turns encoded attribute values into text, identifiers, dates and times, noting each fault.

It must not let a value into a fault or an error: values can identify a patient. What it cannot
read it leaves out and says so by keyword and reason.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date, time, timedelta

from dicom_listener.header.character_set import CharacterSet, UnknownCharacterSet, character_set
from dicom_listener.header.data_elements import Elements

#: Longer values are not decoded at all.
MAX_VALUE_BYTES = 1024
_TEXT_CHARACTERS = 64
_UID = re.compile(r"[0-9]+(?:\.[0-9]+)*")
_DA = re.compile(r"(\d{4})(\d\d)(\d\d)|(\d{4})\.(\d\d)\.(\d\d)", re.ASCII)
_TM = re.compile(r"(\d\d)(?::?(\d\d)(?::?(\d\d)(?:\.(\d{1,6}))?)?)?", re.ASCII)
_DT = re.compile(r"(\d{4}(?:\d\d){0,2})((?:\d\d){0,3}(?:\.\d{1,6})?)([+-]\d{4})?", re.ASCII)
_OFFSET = re.compile(r"([+-])(\d\d)(\d\d)", re.ASCII)
_YEARS = range(1850, 2200)
_FORBIDDEN = frozenset({"Cc", "Cs", "Zl", "Zp"})


class UnreadableHeader(Exception):
    """A header without which nothing can be done; `keyword` and `reason`, never a value."""

    def __init__(self, keyword: str, reason: str) -> None:
        super().__init__(f"{keyword}: {reason}")
        self.keyword = keyword
        self.reason = reason


class _Unreadable(Exception):
    """Why one value cannot be read."""


class AttributeReader:
    """Reads the attributes of one data set or item; `faults` collects keyword and reason."""

    def __init__(self, elements: Elements, faults: dict[tuple[str, str], None], charset: CharacterSet) -> None:
        self._elements = elements
        self._faults = faults
        self._charset = charset

    @classmethod
    def of_data_set(cls, elements: Elements, faults: dict[tuple[str, str], None]) -> AttributeReader:
        """Give the reader of a whole data set, in the character set that it declares."""
        value = elements.get("SpecificCharacterSet")
        try:
            charset = character_set(value if isinstance(value, bytes) else None)
        except UnknownCharacterSet:
            faults["SpecificCharacterSet", "is not a defined term, read as ASCII"] = None
            charset = CharacterSet(("ascii",), declared=True)
        return cls(elements, faults, charset)

    def items(self, keyword: str) -> list[AttributeReader]:
        """Give a reader for each item of a sequence; none when it is absent."""
        value = self._elements.get(keyword)
        return [AttributeReader(each, self._faults, self._charset) for each in value] if isinstance(value, list) else []

    def uid(self, keyword: str) -> str:
        """Give a UID that must be there.

        Raises
        ------
        UnreadableHeader
            When it is missing, longer than 64 characters or not digits and dots (PS3.5, 9.1).
        """
        value = self._elements.get(keyword)
        octets = value.strip(b" \0") if isinstance(value, bytes) else b""
        if not octets:
            raise UnreadableHeader(keyword, "is missing")
        if len(octets) > 64:
            raise UnreadableHeader(keyword, "is longer than 64 characters")
        text = octets.decode("latin_1")
        if not _UID.fullmatch(text):
            raise UnreadableHeader(keyword, "is not a UID")
        return text

    def text(self, keyword: str) -> str | None:
        """Give an identifier or a coded string whole, or not at all when longer than 64 characters."""
        values = self._values(keyword)
        if not values:
            return None
        if len(values) > 1:
            self.fault(keyword, "has several values, the first was read")
        if len(values[0]) > _TEXT_CHARACTERS:
            self.fault(keyword, "is longer than 64 characters")
            return None
        return values[0] or None

    def description(self, keyword: str) -> str | None:
        """Give text for people; beyond 64 characters it is cut and ends in an ellipsis.

        The ellipsis keeps cut text from matching a catalogue entry exactly.
        """
        values = self._values(keyword)
        if not values:
            return None
        text = " ".join(filter(None, values))
        if len(text) > _TEXT_CHARACTERS:
            self.fault(keyword, "is longer than 64 characters, cut")
            text = text[: _TEXT_CHARACTERS - 1] + "…"
        return text or None

    def matching(self, keyword: str, pattern: re.Pattern[str]) -> str | None:
        """Give text of a fixed form."""
        text = self.text(keyword)
        if text is not None and not pattern.fullmatch(text):
            self.fault(keyword, "does not have the form of its value representation")
            return None
        return text

    def person_name(self, keyword: str) -> tuple[str | None, str | None]:
        """Give family and given name of the first component group that says anything (PS3.5, 6.2.1.2)."""
        values = self._values(keyword)
        groups = values[0].split("=") if values else []
        group = next((each for each in groups if each.strip(" ^")), "")
        family, given = ([part.strip() for part in group.split("^")] + [""])[:2]
        if max(len(family), len(given)) > _TEXT_CHARACTERS:
            self.fault(keyword, "is longer than 64 characters")
            return None, None
        return family or None, given or None

    def day(self, keyword: str) -> tuple[date, str] | None:
        """Give a DA as a local calendar date, and as sent."""
        text = self.text(keyword)
        if text is None:
            return None
        match = _DA.fullmatch(text)
        parts = [int(part) for part in match.groups() if part] if match else []
        try:
            return _day(parts), text
        except _Unreadable as error:
            self.fault(keyword, str(error))
            return None

    def clock(self, keyword: str) -> tuple[time, str] | None:
        """Give a TM, which may stop after the hour or the minute, as local time of day and as sent."""
        text = self.text(keyword)
        if text is None:
            return None
        try:
            return _clock(text), text
        except _Unreadable as error:
            self.fault(keyword, str(error))
            return None

    def moment(self, keyword: str) -> tuple[date, time, timedelta | None, str] | None:
        """Give a DT with its own offset from UTC, if sent, and as sent; None when it has no hour."""
        text = self.text(keyword)
        if text is None:
            return None
        match = _DT.fullmatch(text)
        try:
            if match is None:
                raise _Unreadable("is not a date and time")
            day, clock, offset = match.groups()
            if not clock and len(day) <= 8:
                return None
            parts = [int(day[:4]), int(day[4:6] or 0), int(day[6:8] or 0)]
            return _day(parts), _clock(clock), utc_offset(offset) if offset else None, text
        except _Unreadable as error:
            self.fault(keyword, str(error))
            return None

    def utc_offset(self, keyword: str) -> timedelta | None:
        """Give an offset from UTC such as `+0100` (PS3.3, C.12.1.1.8)."""
        text = self.text(keyword)
        if text is None:
            return None
        try:
            return utc_offset(text)
        except _Unreadable as error:
            self.fault(keyword, str(error))
            return None

    def fault(self, keyword: str, reason: str) -> None:
        """Note that an attribute could not be read; each fault once, however many items have it."""
        self._faults[keyword, reason] = None

    def _values(self, keyword: str) -> list[str]:
        value = self._elements.get(keyword)
        if not isinstance(value, bytes):
            return []
        try:
            return self._decoded(keyword, value)
        except _Unreadable as error:
            self.fault(keyword, str(error))
            return []

    def _decoded(self, keyword: str, octets: bytes) -> list[str]:
        if len(octets) > MAX_VALUE_BYTES:
            raise _Unreadable("is longer than 1024 bytes")
        try:
            text = self._charset.decode(octets)
        except (UnicodeError, LookupError):
            raise _Unreadable("is not in the declared character set") from None
        if not self._charset.declared and not text.isascii():
            self.fault(keyword, "is not in the default character set, read as Latin 1")
        values = [each.strip(" \0") for each in text.split("\\")]
        if not text.isprintable() and any(
            unicodedata.category(character) in _FORBIDDEN for each in values for character in each
        ):
            raise _Unreadable("contains control characters")
        return values


def utc_offset(text: str) -> timedelta:
    """Give `+hhmm` or `-hhmm` as a time difference between -12 and +14 hours."""
    match = _OFFSET.fullmatch(text)
    if match is None:
        raise _Unreadable("is not an offset from UTC")
    sign, hours, minutes = match.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes)) * (-1 if sign == "-" else 1)
    if int(minutes) > 59 or not timedelta(hours=-12) <= offset <= timedelta(hours=14):
        raise _Unreadable("is not an offset from UTC")
    return offset


def _day(parts: list[int]) -> date:
    try:
        day = date(*parts)
    except (TypeError, ValueError):
        raise _Unreadable("is not a date") from None
    if day.year not in _YEARS:
        raise _Unreadable("is not a plausible date")
    return day


def _clock(text: str) -> time:
    match = _TM.fullmatch(text)
    if match is None:
        raise _Unreadable("is not a time")
    hour, minute, second, fraction = match.groups()
    try:
        # PS3.5, 6.2: 60 stands for a leap second, which has no instant of its own here
        return time(
            int(hour),
            int(minute or 0),
            59 if second == "60" else int(second or 0),
            int((fraction or "0").ljust(6, "0")),
        )
    except ValueError:
        raise _Unreadable("is not a time") from None
