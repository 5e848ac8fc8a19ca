"""What a fuzzer makes of valid recordings, by a fixed seed: the same seed gives the same inputs.

Pure: it must not send anything.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.attacks.attacked import PACS_ANYWHERE
from tests.attacks.objects import CONTEXT_OF, Element, ct_object, encoded
from tests.attacks.wire import (
    ABORTED,
    BIG_ENDIAN,
    EXPLICIT,
    IMPLICIT,
    RELEASE,
    associate_rq,
    echo_rq,
    store_rq,
)

#: A conversation is the PDUs that a peer sends.
Conversation = list[bytes]
_EDGES = (0, 1, 2, 5, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)


def recordings() -> list[Conversation]:
    """Give conversations that a good peer has: echo, objects in each syntax, an abort."""
    hello = associate_rq(PACS_ANYWHERE)
    stores = [
        store_rq(CONTEXT_OF[syntax], (sent := ct_object(pixels=pixels)).sop_instance, sent.encoded(syntax))
        for syntax in (IMPLICIT, EXPLICIT, BIG_ENDIAN)
        for pixels in (0, 40_000)
    ]
    return [
        [hello, echo_rq(), RELEASE],
        *([hello, store, RELEASE] for store in stores),
        [hello, echo_rq(), stores[0], echo_rq(), stores[2], RELEASE],
        [hello, stores[1], ABORTED],
    ]


def mutated_conversations(seed: int) -> Iterator[bytes]:
    """Give what is sent in one connection, for ever."""
    chance, known = random.Random(seed), [_pdus(one) for one in recordings()]
    while True:
        pdus = list(chance.choice(known))
        for _ in range(chance.choice((1, 1, 2, 4))):
            chance.choice(_CONVERSATION_MUTATIONS)(chance, pdus, known)
        yield b"".join(pdus)


def mutated_requests(seed: int) -> Iterator[bytes]:
    """Give A-ASSOCIATE-RQ PDUs, each at fault somewhere, with what a good peer sends after it, for ever."""
    chance = random.Random(seed)
    while True:
        request = [associate_rq(PACS_ANYWHERE)]
        for _ in range(chance.choice((1, 1, 2, 4))):
            chance.choice(_PDU_MUTATIONS)(chance, request, [])
        yield b"".join(request) + echo_rq() + RELEASE


def mutated_data_sets(seed: int) -> Iterator[tuple[int, str, bytes]]:
    """Give context id, SOP instance and data set of C-STORE requests whose PDUs are as they should be, for ever.

    Two in three are at fault in elements other than the UIDs, without which an object is refused at once.
    """
    chance = random.Random(seed)
    while True:
        syntax = chance.choice((IMPLICIT, EXPLICIT, BIG_ENDIAN))
        sent = ct_object(request=True)
        mutations = chance.choice((1, 1, 2, 4))
        if chance.randrange(3):
            for _ in range(mutations):
                one = sent.elements[chance.choice([tag for tag, each in sent.elements.items() if each.vr != "UI"])]
                framed = chance.randrange(2) and one.vr != "SQ"
                octets = bytearray(one.value if framed else encoded(one, syntax))
                chance.choice(_BYTE_MUTATIONS)(chance, octets)
                changed = bytes(octets)
                sent = sent.but(Element(one.tag, one.vr, changed) if framed else replace(one, encoded=changed))
            yield CONTEXT_OF[syntax], sent.sop_instance, sent.encoded(syntax)
            continue
        octets = bytearray(sent.encoded(syntax))
        for _ in range(mutations):
            chance.choice(_BYTE_MUTATIONS)(chance, octets)
        yield CONTEXT_OF[syntax], sent.sop_instance, bytes(octets)


def _pdus(conversation: Conversation) -> Conversation:
    """Take a conversation apart, so that what is several PDUs can be mixed too."""
    octets, found, at = b"".join(conversation), [], 0
    while at < len(octets):
        (length,) = struct.unpack_from(">L", octets, at + 2)
        found.append(octets[at : at + 6 + length])
        at += 6 + length
    return found


def _flip(chance: random.Random, octets: bytearray) -> None:
    for _ in range(chance.choice((1, 1, 3, 20))):
        if octets:
            octets[chance.randrange(len(octets))] ^= 1 << chance.randrange(8)


def _edge(chance: random.Random, octets: bytearray) -> None:
    """Write a number at the edge of what fits, as a length would stand there."""
    layout = chance.choice(("<H", ">H", "<L", ">L"))
    size = struct.calcsize(layout)
    if len(octets) >= size:
        at = chance.randrange(min(len(octets) - size + 1, 600))
        octets[at : at + size] = struct.pack(layout, chance.choice(_EDGES) % 256**size)


def _cut(chance: random.Random, octets: bytearray) -> None:
    if octets:
        del octets[chance.randrange(len(octets)) :]


def _drop(chance: random.Random, octets: bytearray) -> None:
    if octets:
        at = chance.randrange(len(octets))
        del octets[at : at + chance.randrange(1, 40)]


def _splice(chance: random.Random, octets: bytearray) -> None:
    """Copy a piece to somewhere else."""
    if octets:
        start = chance.randrange(len(octets))
        piece = octets[start : start + chance.randrange(1, 200)]
        at = chance.randrange(len(octets))
        octets[at:at] = piece * chance.choice((1, 1, 1, 30))


def _noise(chance: random.Random, octets: bytearray) -> None:
    at = chance.randrange(len(octets) + 1)
    octets[at:at] = chance.randbytes(chance.randrange(1, 60))


def _in_one_pdu(change: Callable[[random.Random, bytearray], None]) -> Callable[..., None]:
    def mutate(chance: random.Random, pdus: Conversation, known: list[Conversation]) -> None:
        if pdus:
            at = chance.randrange(len(pdus))
            octets = bytearray(pdus[at])
            change(chance, octets)
            pdus[at] = bytes(octets)

    return mutate


def _in_one_pdu_of_right_length(change: Callable[[random.Random, bytearray], None]) -> Callable[..., None]:
    """Change what a PDU holds, and let its header be right: the fault lies deeper."""

    def mutate(chance: random.Random, pdus: Conversation, known: list[Conversation]) -> None:
        if pdus:
            at = chance.randrange(len(pdus))
            octets = bytearray(pdus[at][6:])
            change(chance, octets)
            pdus[at] = struct.pack(">BxL", pdus[at][0] if pdus[at] else 4, len(octets)) + octets

    return mutate


def _repeat(chance: random.Random, pdus: Conversation, known: list[Conversation]) -> None:
    if pdus:
        at = chance.randrange(len(pdus))
        pdus[at:at] = [pdus[at]] * chance.choice((1, 2, 10))


def _reorder(chance: random.Random, pdus: Conversation, known: list[Conversation]) -> None:
    chance.shuffle(pdus)


def _leave_out(chance: random.Random, pdus: Conversation, known: list[Conversation]) -> None:
    if pdus:
        del pdus[chance.randrange(len(pdus))]


def _mix(chance: random.Random, pdus: Conversation, known: list[Conversation]) -> None:
    other = chance.choice(known)
    pdus[chance.randrange(len(pdus) + 1) :] = other[chance.randrange(len(other)) :]


def _of_another_type(chance: random.Random, pdus: Conversation, known: list[Conversation]) -> None:
    if pdus:
        at = chance.randrange(len(pdus))
        pdus[at] = bytes([chance.choice((*range(9), 0x7F, 0xFF))]) + pdus[at][1:]


_BYTE_MUTATIONS = (_flip, _flip, _edge, _edge, _cut, _drop, _splice, _noise)
_PDU_MUTATIONS = (
    *(_in_one_pdu(change) for change in _BYTE_MUTATIONS),
    *(_in_one_pdu_of_right_length(change) for change in _BYTE_MUTATIONS),
)
_CONVERSATION_MUTATIONS = (
    *_PDU_MUTATIONS,
    _repeat,
    _reorder,
    _leave_out,
    _mix,
    _of_another_type,
)
