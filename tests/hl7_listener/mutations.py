"""What a fuzzer makes of the corpus, by a fixed seed: the same seed gives the same messages. It sends nothing."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from tests.hl7_listener.corpus_files import filed, names

#: Pieces that break parsers: separators, escapes that end nowhere or hold nothing, control characters, much of one.
_PIECES = (
    *(b"|", b"^", b"~", b"&", b"\\", b"\r", b"\n", b"\x00", b"\x0b", b"\x1c", b"\x7f", b"\xff", b'""'),
    *(
        b"\\X",
        b"\\XZZ\\",
        b"\\X41",
        b"\\X" + b"41" * 400 + b"\\",
        b"\\.br\\",
        b"\\F",
        b"\\\\",
        b"\\C2842\\",
        b"\\M4141\\",
    ),
    *(b"\xc3\x28", "\u202e".encode(), "é".encode("latin_1"), b"=1+1", b"<script>", b"%s%n", b"{0}", b"../../"),
    *(b"A" * 300, b"9" * 65, b"1" * 5000, b"^" * 200, b"~" * 500, b"|" * 300),
)
_DATES = (b"00000000", b"99999999999999", b"20260230", b"19000101", b"20261025013000", b"-1", b"20260610100000+9999")
_SETS = (b"UNICODE UTF-8", b"ASCII", b"8859/1", b"8859/99", b"UNICODE UTF-16", b"\xff", b"UTF-8~8859/1", b"")


def mutated_messages(seed: int) -> Iterator[bytes]:
    """Give messages, each at fault somewhere, for ever."""
    chance, known = random.Random(seed), [filed(name).octets for name in names()]
    while True:
        octets = chance.choice(known)
        for _ in range(chance.choice((1, 1, 2, 4, 8))):
            octets = chance.choice(_MUTATIONS)(chance, octets, known)
        yield octets[:200_000]


def _change_bytes(chance: random.Random, octets: bytes, _: list[bytes]) -> bytes:
    changed = bytearray(octets or b"M")
    for _again in range(chance.randint(1, 6)):
        changed[chance.randrange(len(changed))] = chance.choice((chance.randrange(256), ord("|"), 0, 255))
    return bytes(changed)


def _put_in(chance: random.Random, octets: bytes, _: list[bytes]) -> bytes:
    place = chance.randrange(len(octets) + 1)
    return octets[:place] + chance.choice(_PIECES) * chance.choice((1, 1, 1, 3, 50)) + octets[place:]


def _cut(chance: random.Random, octets: bytes, _: list[bytes]) -> bytes:
    place = chance.randrange(len(octets) + 1)
    return chance.choice((octets[:place], octets[:place] + octets[place + chance.randint(1, 40) :]))


def _change_field(chance: random.Random, octets: bytes, known: list[bytes]) -> bytes:
    """Put something else into a field: nothing, a piece, a date that is none, a field of another message."""
    segments = octets.split(b"\r")
    row = chance.randrange(len(segments))
    fields = segments[row].split(b"|")
    other = chance.choice(known).split(b"|")
    value = chance.choice((b"", b'""', chance.choice(_PIECES), chance.choice(_DATES), chance.choice(other)))
    fields[chance.randrange(len(fields))] = value
    segments[row] = b"|".join(fields)
    return b"\r".join(segments)


def _move_segments(chance: random.Random, octets: bytes, known: list[bytes]) -> bytes:
    """Shuffle, repeat, take out, or take in segments of another message."""
    segments = octets.split(b"\r")
    how = chance.randrange(4)
    if how == 0:
        chance.shuffle(segments)
    elif how == 1:
        segments += [chance.choice(segments)] * chance.choice((1, 5, 200))
    elif how == 2:
        segments.pop(chance.randrange(len(segments)))
    else:
        segments.insert(chance.randrange(len(segments) + 1), chance.choice(chance.choice(known).split(b"\r")))
    return b"\r".join(segments)


def _change_separators(chance: random.Random, octets: bytes, _: list[bytes]) -> bytes:
    """Write another MSH-1 and MSH-2 than the message uses."""
    return octets[:3] + bytes(chance.choice(b"|^~\\&#$A \x00\xff1") for _ in range(chance.randint(0, 6))) + octets[8:]


def _change_character_set(chance: random.Random, octets: bytes, _: list[bytes]) -> bytes:
    head, *rest = octets.split(b"\r")
    fields = head.split(b"|")
    fields += [b""] * (18 - len(fields))
    fields[17] = chance.choice(_SETS)
    return b"\r".join([b"|".join(fields), *rest])


_MUTATIONS: tuple[Callable[[random.Random, bytes, list[bytes]], bytes], ...] = (
    _change_bytes,
    _put_in,
    _cut,
    _change_field,
    _change_field,
    _move_segments,
    _change_separators,
    _change_character_set,
)
