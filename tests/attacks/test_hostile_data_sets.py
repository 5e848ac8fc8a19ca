"""Data sets that no sender should send: each fails with a DICOM status or stands in the list that people see."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest

from tests.attacks.attacked import PACS, Attacked, echo_seconds
from tests.attacks.objects import CONTEXT_OF, Element, Object, ct_object
from tests.attacks.wire import (
    BIG_ENDIAN,
    CT,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    Peer,
    element,
)

LEVELS = 200
#: Attributes by tag that an item is made of, with their VR; UIDs and the character set stand apart.
TEXTS = {
    0x00080050: "SH",
    0x00081030: "LO",
    0x00081040: "LO",
    0x00100010: "PN",
    0x00100020: "LO",
    0x00100040: "CS",
    0x00101010: "AS",
    0x00321033: "LO",
    0x00380300: "LO",
    0x00401003: "SH",
}
TIMES = {0x00080020: "DA", 0x00080030: "TM", 0x0008002A: "DT", 0x00080201: "SH", 0x00100030: "DA"}
UIDS = {0x00080016: "UI", 0x00080018: "UI", 0x0020000D: "UI", 0x0020000E: "UI"}
#: Sequences that are read, one that nobody reads, and one that may be anything.
SEQUENCES = {0x00400275: "SQ", 0x00081032: "SQ", 0x00081110: "SQ", 0x00091001: "UN"}


def nested(tag: int, vr: str, levels: int, *, implicit: bool, undefined: bool) -> bytes:
    """Give a sequence in a sequence in a sequence, with or without lengths."""
    encoded = b""
    for _ in range(levels):
        if undefined:
            item = struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF) + encoded + struct.pack("<HHL", 0xFFFE, 0xE00D, 0)
            value, length = item + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0), 0xFFFFFFFF
        else:
            value = struct.pack("<HHL", 0xFFFE, 0xE000, len(encoded)) + encoded
            length = len(value)
        encoded = element(tag, value, vr="" if implicit else vr, length=length)
    return encoded


def value_cases() -> Iterator[tuple[str, Element]]:
    """Give what is wrong in a word, and the element that is."""
    for tag, vr in TEXTS.items():
        yield f"300 characters in {tag:08x}", Element(tag, vr, b"X" * 300)
        yield f"60,000 characters in {tag:08x}", Element(tag, vr, b"X" * 60_000)
        yield f"control characters in {tag:08x}", Element(tag, vr, b"A\x00B\x07C\x7f\x1b[2J")
        yield f"a line feed in {tag:08x}", Element(tag, vr, b"A\r\nB ")
        yield f"bytes of no character set in {tag:08x}", Element(tag, vr, b"\xff\xfe\x80\x81")
        yield f"an unknown escape sequence in {tag:08x}", Element(tag, vr, b"A\x1b%/IB")
    for tag, vr in TIMES.items():
        for wrong in (b"99999999", b"2026023025  ", b"-1", b"1e9 ", b"9" * 300, b"\xff" * 8, b"0x10"):
            yield f"{wrong[:8]!r} in {tag:08x}", Element(tag, vr, wrong)
    for tag in UIDS:
        for wrong in (b"", b"1." * 100, b"..", b"1.2.3\0\0\x07", b"../../etc/passwd", b"\xff" * 8, b"'; --"):
            yield f"{wrong[:8]!r} in {tag:08x}", Element(tag, "UI", wrong)
    for wrong in (b"ISO_IR 999", b"\xff" * 16, b"ISO 2022 IR 87\\nonsense ", b"utf-8 ", b"X" * 300):
        yield f"{wrong[:12]!r} as character set", Element(0x00080005, "CS", wrong)


def length_cases() -> Iterator[tuple[str, Element]]:
    for tag, vr in {**TEXTS, **TIMES, **UIDS, **SEQUENCES}.items():
        for length in (0xFFFF, 0xFFFE, 0x8001, 7):
            yield f"length {length:x} of {tag:08x}", Element(tag, vr, b"12", length=length)
        for claimed in (0xFFFFFFFF, 0xFFFFFFFE, 0x80000000, 0x7FFFFFFF):
            wrong = element(tag, b"12", vr="UN", length=claimed)
            yield f"length {claimed:x} of {tag:08x} as UN", Element(tag, vr, encoded=wrong)
        for name in ("??", "\0\0", "zz", "SQ", "OW", "  "):
            yield f"VR {name!r} of {tag:08x}", Element(tag, vr, encoded=element(tag, b"12", vr=name, length=0xFFFE))


VALUE_CASES, LENGTH_CASES = dict(value_cases()), dict(length_cases())


def test_an_object_without_fault_is_taken_without_an_exception(radpool: Attacked) -> None:
    """The control: what the hostile data sets are made from says nothing that people must look at."""
    before = radpool.exceptions()
    with radpool.peer() as peer:
        peer.associate(PACS)
        for transfer_syntax in (IMPLICIT, EXPLICIT, BIG_ENDIAN):
            assert store(peer, ct_object(), transfer_syntax) == 0
    assert radpool.exceptions() == before


@pytest.mark.parametrize("transfer_syntax", [EXPLICIT, IMPLICIT])
def test_a_hostile_value_fails_or_stands_in_the_exceptions(radpool: Attacked, transfer_syntax: str) -> None:
    silent = taken_in_silence(radpool, VALUE_CASES, transfer_syntax)
    assert silent == []


def test_a_hostile_length_or_vr_fails_or_stands_in_the_exceptions(radpool: Attacked) -> None:
    silent = taken_in_silence(radpool, LENGTH_CASES, EXPLICIT)
    assert silent == []


@pytest.mark.parametrize("transfer_syntax", [EXPLICIT, IMPLICIT], ids=["explicit", "implicit"])
@pytest.mark.parametrize("tag", list(SEQUENCES), ids=[f"{tag:08x}" for tag in SEQUENCES])
def test_200_levels_of_nested_sequences_without_lengths_are_refused_with_a_status(
    radpool: Attacked, tag: int, transfer_syntax: str
) -> None:
    before = radpool.refused()
    assert store_nested(radpool, tag, transfer_syntax, undefined=True) & 0xF000 == 0xC000
    assert radpool.refused() == before + 1


@pytest.mark.parametrize("transfer_syntax", [EXPLICIT, IMPLICIT], ids=["explicit", "implicit"])
@pytest.mark.parametrize("tag", list(SEQUENCES), ids=[f"{tag:08x}" for tag in SEQUENCES])
def test_200_levels_of_nested_sequences_with_lengths_are_refused_or_stepped_over(
    radpool: Attacked, tag: int, transfer_syntax: str
) -> None:
    before = radpool.refused() + radpool.objects()
    assert store_nested(radpool, tag, transfer_syntax, undefined=False) & 0x0FFF == 0
    assert radpool.refused() + radpool.objects() == before + 1


def test_100000_levels_of_nested_sequences_are_refused_within_a_second(radpool: Attacked) -> None:
    item = struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF)
    deep = element(0x00081110, item, vr="SQ", length=0xFFFFFFFF) * 100_000
    with radpool.peer() as peer:
        peer.associate(PACS)
        peer.socket.settimeout(1)
        assert store(peer, ct_object().but(Element(0x00081110, "SQ", encoded=deep)), EXPLICIT) & 0xF000 == 0xC000


def test_deflated_transfer_syntaxes_are_refused_at_negotiation(radpool: Attacked) -> None:
    contexts = [(1, CT, (DEFLATED,)), (3, CT, ("1.2.840.10008.1.2.4.95",)), (5, CT, ("1.2.840.10008.1.2.4.205",))]
    with radpool.peer() as peer:
        accepted = peer.associate(PACS, contexts)
    results = {}
    at = 68
    while at < len(accepted):
        item_type, length = struct.unpack_from(">BxH", accepted, at)
        if item_type == 0x21:
            results[accepted[at + 4]] = accepted[at + 6]
        at += 4 + length
    assert results == {1: 4, 3: 4, 5: 4}


def test_nothing_of_a_hostile_value_stands_in_an_exception_or_a_log(radpool: Attacked) -> None:
    marker = "Zyxwvut"
    before = radpool.refused()
    with radpool.peer() as peer:
        peer.associate(PACS)
        sent = ct_object().but(
            Element(0x00100010, "PN", f"{marker}\x07^{marker} ".encode()),
            Element(0x00080050, "SH", f"{marker}\x07".encode() * 30),
            Element(0x0020000D, "UI", f"{marker} ".encode()),
        )
        assert store(peer, sent, EXPLICIT) != 0
    assert radpool.refused() == before + 1
    assert marker not in repr(radpool.exceptions()) + radpool.server.log()


def store_nested(radpool: Attacked, tag: int, transfer_syntax: str, *, undefined: bool) -> int:
    """Store an object with `LEVELS` sequences in each other, and give the status; the association goes on."""
    vr = SEQUENCES[tag]
    deep = nested(tag, vr, LEVELS, implicit=transfer_syntax == IMPLICIT, undefined=undefined)
    with radpool.peer() as peer:
        peer.associate(PACS)
        status = store(peer, ct_object().but(Element(tag, vr, encoded=deep)), transfer_syntax)
        assert peer.echo() == 0
    return status


def taken_in_silence(radpool: Attacked, cases: dict[str, Element], transfer_syntax: str) -> list[str]:
    """Store an object for each case, one element changed, and give the cases that nobody was told of."""
    silent = []
    with radpool.peer() as peer:
        peer.associate(PACS)
        known = radpool.occurrences()
        for case, wrong in cases.items():
            status = store(peer, ct_object().but(wrong), transfer_syntax)
            assert status in {0, 0xA900} or status & 0xF000 == 0xC000, f"{case}: {status:04x}"
            told, known = radpool.occurrences() - known, radpool.occurrences()
            if not told:
                silent.append(f"{case}: {status:04x}")
        assert peer.echo() == 0
    assert echo_seconds(radpool.port) < 1.0
    print(f"{len(cases)} cases, {len(silent)} taken in silence", *silent, sep="\n")
    return silent


def store(peer: Peer, sent: Object, transfer_syntax: str) -> int:
    return peer.store(CONTEXT_OF[transfer_syntax], sent.sop_instance, sent.encoded(transfer_syntax))
