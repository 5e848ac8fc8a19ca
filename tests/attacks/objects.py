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
    """One element; `length` is what it states when that is not what it has, `encoded` stands for all of it."""

    tag: int
    vr: str
    value: bytes = b""
    length: int | None = None
    encoded: bytes | None = None


@dataclass(frozen=True, slots=True)
class Object:
    """A SOP instance UID and its elements by tag."""

    sop_instance: str
    elements: dict[int, Element]

    def encoded(self, transfer_syntax: str = EXPLICIT) -> bytes:
        """Give the data set in a transfer syntax."""
        return b"".join(_encoded(self.elements[tag], transfer_syntax) for tag in sorted(self.elements))

    def but(self, *changed: Element) -> Object:
        """Give the object with other elements."""
        return Object(self.sop_instance, {**self.elements, **{each.tag: each for each in changed}})


def ct_object(study: int | None = None, *, pixels: int = 0) -> Object:
    """Give a CT object of a study of its own, or of study number `study`; no value repeats by chance."""
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
    if pixels:
        values.append(Element(0x7FE00010, "OW", bytes(pixels)))
    return Object(instance, {each.tag: each for each in values})


def _encoded(one: Element, transfer_syntax: str) -> bytes:
    if one.encoded is not None:
        return one.encoded
    vr = "" if transfer_syntax == IMPLICIT else one.vr
    return element(one.tag, one.value, vr=vr, big_endian=transfer_syntax == BIG_ENDIAN, length=one.length)


def _even(text: str) -> bytes:
    return text.encode() + b" " * (len(text) % 2)
