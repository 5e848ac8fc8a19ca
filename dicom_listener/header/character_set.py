"""Decodes text in the declared specific character set (PS3.3, C.12.1.1.2), strictly.

It must not replace or drop what it cannot decode: a mangled name or number is worse than none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pydicom.charset import CODES_TO_ENCODINGS, STAND_ALONE_ENCODINGS, handled_encodings, python_encoding

_FRAGMENTS = re.compile(b"^[^\x1b]+|\x1b[^\x1b]*")
_RESETS = re.compile(rb"[\\^=\r\n\t\f]")
_DEFAULT = "latin_1"


class UnknownCharacterSet(Exception):
    """A defined term that PS3.3 does not have."""


@dataclass(frozen=True, slots=True)
class CharacterSet:
    """The Python codecs that stand for a value of SpecificCharacterSet, the first one leading.

    `declared` is false for the default repertoire: then bytes above 127 are read as Latin 1, which
    is what senders that forget to declare it mean.
    """

    codecs: tuple[str, ...] = (_DEFAULT,)
    declared: bool = False

    def decode(self, octets: bytes) -> str:
        """Give the text.

        Raises
        ------
        UnicodeError
            When a byte or an escape sequence does not belong to the character set.
        """
        if b"\x1b" not in octets or len(self.codecs) == 1:
            return octets.decode(self.codecs[0])
        return "".join(self._decode_fragment(each) for each in _FRAGMENTS.findall(octets))

    def _decode_fragment(self, octets: bytes) -> str:
        if not octets.startswith(b"\x1b"):
            return octets.decode(self.codecs[0])
        for length in (3, 4):  # PS3.5, 6.1.2.5.2
            codec = CODES_TO_ENCODINGS.get(octets[:length])
            if codec in handled_encodings and codec in self.codecs:
                return octets.decode(codec)  # Python's codec reads the escape sequence itself
            if codec is not None and (codec in self.codecs or octets[:length] == b"\x1b(B"):
                # PS3.5, 6.1.2.5.3: a delimiter brings the leading character set back
                rest = octets[length:]
                reset = _RESETS.search(rest)
                cut = reset.start() if reset else len(rest)
                return rest[:cut].decode(codec) + rest[cut:].decode(self.codecs[0])
        msg = "an escape sequence of no declared character set"
        raise UnicodeError(msg)


def character_set(value: bytes | None) -> CharacterSet:
    """Give the character set for a value of (0008,0005) as encoded; none is the default.

    Raises
    ------
    UnknownCharacterSet
        When a term is not a defined one. The value is not repeated.
    """
    terms = [term.strip(" \0") for term in (value or b"").decode("latin_1").split("\\")]
    if terms[0] in STAND_ALONE_ENCODINGS:
        terms = terms[:1]
    try:
        codecs = tuple(python_encoding[term] for term in terms)
    except KeyError:
        raise UnknownCharacterSet from None
    return CharacterSet(codecs, declared=terms not in ([""], ["ISO_IR 6"]))
