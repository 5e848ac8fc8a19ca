"""The form of the journal's records: facts that many objects share, and one line for each object.

A record is a head (length and CRC-32 of what follows it, and its kind) and a payload in JSON. The number by which an
object names what it shares holds within one segment. It must not open a file.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from struct import Struct
from typing import Any
from zlib import crc32

from pydantic import TypeAdapter

from dicom_listener.header.reader import ObjectHeader
from worklist.intake.study import ReceivedObject
from worklist.local_time import LocalTime

HEAD = Struct("<LLc")
#: A head that claims more is none. A header of a mebibyte may state some thousand codes, and take twice as much here.
MAX_PAYLOAD_BYTES = 8 * 1024 * 1024

_LIKE, _OBJECT = b"L", b"O"
_RECEIVED = TypeAdapter(ReceivedObject)


class DamagedRecord(Exception):
    """Bytes that no writer of ours wrote, or not to their end."""


@dataclass(frozen=True, slots=True)
class ObjectRecord:
    """One object: the number of what it shares, what is its own, and whether a sender waits for its commit."""

    like: int
    sop_instance_uid: str
    acquisition_ended: LocalTime | None
    awaited: bool


def pack_like(number: int, like: ReceivedObject) -> bytes:
    """Write what objects to come share under a number.

    Raises
    ------
    ValueError
        When it is longer than any record may be.
    """
    return _framed(_LIKE, json.dumps(number).encode() + b" " + _RECEIVED.dump_json(like))


def pack_object(number: int, header: ObjectHeader, *, awaited: bool) -> bytes:
    """Write one object that shares the facts of a number."""
    uid, ended = json.dumps(header.sop_instance_uid), _told(header.acquisition_ended)
    return _framed(_OBJECT, f"[{number}, {uid}, {ended}, {'true' if awaited else 'false'}]".encode())


def unpack(octets: bytes, position: int) -> tuple[tuple[int, ReceivedObject] | ObjectRecord, int] | None:
    """Give the record at a position and where the next begins; None where it is not complete.

    Raises
    ------
    DamagedRecord
        When what stands there is no record.
    """
    start = position + HEAD.size
    if len(octets) < start:
        return None
    length, checksum, kind = HEAD.unpack_from(octets, position)
    if length > MAX_PAYLOAD_BYTES:
        raise DamagedRecord
    end = start + length
    if len(octets) < end:
        return None
    payload = octets[start:end]
    if crc32(payload) != checksum:
        raise DamagedRecord
    if kind == _OBJECT:
        return _object(json.loads(payload)), end
    if kind == _LIKE:
        number, _, received = payload.partition(b" ")
        return (int(number), _RECEIVED.validate_json(received)), end
    raise DamagedRecord


@lru_cache(maxsize=64)
def _told(ended: LocalTime | None) -> str:
    """Write an end of acquisition; many objects of a series have the same."""
    if ended is None:
        return "null"
    return json.dumps((ended.as_sent, ended.zone, ended.fold, ended.source, ended.at.isoformat()))


def _framed(kind: bytes, payload: bytes) -> bytes:
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise ValueError("a record of the journal is too long")
    return HEAD.pack(len(payload), crc32(payload), kind) + payload


def _object(fields: list[Any]) -> ObjectRecord:
    like, uid, ended, awaited = fields
    if ended is not None:
        as_sent, zone, fold, source, at = ended
        ended = LocalTime(as_sent, zone, fold, source, datetime.fromisoformat(at))
    return ObjectRecord(like, uid, ended, awaited)
