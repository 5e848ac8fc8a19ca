"""Small synthetic objects as bytes, each attribute of which can be replaced by what no sender should send.

It must not be clever: a data set is a list of elements in the order of their tags.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from tests.attacks.wire import BIG_ENDIAN, CT, EXPLICIT, IMPLICIT, element, uid

ROOT = "1.2.826.0.1.3680043.8.498"
#: The contexts of `wire.CONTEXTS` in which objects go.
CONTEXT_OF = {IMPLICIT: 3, EXPLICIT: 5, BIG_ENDIAN: 7}
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Element:
    """One element; `length` is what it states when that is not what it has, `encoded` stands for all of it.

    A sequence has `items`.
    """

    tag: int
    vr: str
    value: bytes = b""
    length: int | None = None
    encoded: bytes | None = None
    items: tuple[tuple[Element, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Object:
    """A SOP instance UID and its elements by tag."""

    sop_instance: str
    elements: dict[int, Element]

    def encoded(self, transfer_syntax: str = EXPLICIT) -> bytes:
        """Give the data set in a transfer syntax."""
        return b"".join(encoded(self.elements[tag], transfer_syntax) for tag in sorted(self.elements))

    def but(self, *changed: Element) -> Object:
        """Give the object with other elements."""
        return Object(self.sop_instance, {**self.elements, **{each.tag: each for each in changed}})


def ct_object(study: int | None = None, *, pixels: int = 0, request: bool = False) -> Object:
    """Give a CT object of a study of its own, or of study number `study`; no value repeats by chance.

    With `request` it has a sequence of codes in a sequence of what was requested.
    """
    number = next(_numbers)
    study = number + 1_000_000 if study is None else study
    instance = f"{ROOT}.1.{number}"
    values = [
        Element(0x00080016, "UI", uid(CT)),
        Element(0x00080018, "UI", uid(instance)),
        Element(0x00080020, "DA", b"20260610"),
        Element(0x00080030, "TM", b"090000"),
        Element(0x00080050, "SH", _even(f"ACC{study}")),
        Element(0x00080060, "CS", b"CT"),
        Element(0x00080201, "SH", b"+0100 "),
        Element(0x00081030, "LO", b"CT Head "),
        Element(0x00100010, "PN", _even(f"Probe{study}^Anna")),
        Element(0x00100020, "LO", _even(f"P{study}")),
        Element(0x00100030, "DA", b"19500101"),
        Element(0x00100040, "CS", b"F "),
        Element(0x0020000D, "UI", uid(f"{ROOT}.2.{study}")),
        Element(0x0020000E, "UI", uid(f"{ROOT}.3.{study}")),
    ]
    if request:
        values.append(Element(0x00400275, "SQ", items=((Element(0x00321064, "SQ", items=(_CODE,)), *_REQUEST),)))
    if pixels:
        values.append(Element(0x7FE00010, "OW", bytes(pixels)))
    return Object(instance, {each.tag: each for each in values})


def encoded(one: Element, transfer_syntax: str) -> bytes:
    """Give one element in a transfer syntax."""
    if one.encoded is not None:
        return one.encoded
    vr, value, big_endian = "" if transfer_syntax == IMPLICIT else one.vr, one.value, transfer_syntax == BIG_ENDIAN
    for item in one.items:
        inside = b"".join(encoded(each, transfer_syntax) for each in item)
        value += element(0xFFFEE000, inside, big_endian=big_endian)
    return element(one.tag, value, vr=vr, big_endian=big_endian, length=one.length)


def _even(text: str) -> bytes:
    return text.encode() + b" " * (len(text) % 2)


_CODE = (
    Element(0x00080100, "SH", b"CHEAD "),
    Element(0x00080102, "SH", b"NICIP "),
    Element(0x00080104, "LO", b"CT Head "),
)
_REQUEST = (Element(0x00401001, "SH", b"RP1 "),)
