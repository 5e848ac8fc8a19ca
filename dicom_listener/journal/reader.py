"""Reads the segments of a journal as they grow, and deletes those that are done with.

What it gives is read again until `advance` says that it is in the worklist: after a crash whole segments come again,
and whoever takes them in does so idempotently. It must not write a record.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import structlog

from dicom_listener.journal.record import MAX_PAYLOAD_BYTES, DamagedRecord, ObjectRecord, unpack
from dicom_listener.journal.writer import SUFFIX, Place
from worklist.intake.study import ReceivedObject

log = structlog.get_logger(__name__)

_READ_BYTES = 2 * MAX_PAYLOAD_BYTES
_DAMAGED = ".damaged"


@dataclass(frozen=True, slots=True)
class Entry:
    """One object of the journal, where its record ends, and whether a sender waits for its commit."""

    place: Place
    received: ReceivedObject
    awaited: bool


@dataclass(slots=True)
class _Segment:
    """One file: up to `taken` all is in the worklist, up to `read` it was given out.

    `ended_at` is the size at which no whole record was left to give.
    """

    path: Path
    descriptor: int
    taken: int = 0
    read: int = 0
    ended_at: int = -1
    likes: dict[int, ReceivedObject] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return os.fstat(self.descriptor).st_size


class JournalReader:
    """Reads all segments of a folder, the oldest first; for one thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._segments: dict[str, _Segment] = {}

    def read(self, limit: int) -> list[Entry]:
        """Give at most `limit` objects that were not given yet."""
        self._look()
        entries: list[Entry] = []
        for segment in tuple(self._segments.values()):
            for entry in self._read_segment(segment):
                entries.append(entry)
                if len(entries) == limit:
                    return entries
        return entries

    def advance(self) -> None:
        """Say that all that was given is in the worklist; segments that are done with are deleted."""
        for segment in tuple(self._segments.values()):
            segment.taken = segment.read
            if segment.ended_at == segment.size:
                self._delete_if_closed(segment)

    def give_again(self) -> None:
        """Give again what was given since the last `advance`."""
        for segment in self._segments.values():
            segment.read, segment.ended_at = segment.taken, -1

    def idle(self) -> list[Place]:
        """Give the segments that are taken in to their end and still open."""
        return [
            Place(name, segment.taken)
            for name, segment in self._segments.items()
            if segment.taken and segment.taken == segment.size
        ]

    def waiting_bytes(self) -> int:
        """Give how much is not in the worklist yet."""
        self._look()
        return sum(segment.size - segment.taken for segment in self._segments.values())

    def close(self) -> None:
        """Close the files; nothing is deleted."""
        for segment in self._segments.values():
            os.close(segment.descriptor)
        self._segments.clear()

    def _look(self) -> None:
        for path in sorted(self._folder.glob(f"[!.]*{SUFFIX}")):
            if path.name not in self._segments:
                try:
                    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                except FileNotFoundError:
                    continue
                self._segments[path.name] = _Segment(path, descriptor)

    def _read_segment(self, segment: _Segment) -> Iterator[Entry]:
        while segment.path.name in self._segments:
            size = segment.size
            octets = os.pread(segment.descriptor, min(_READ_BYTES, size - segment.read), segment.read)
            position = begun = segment.read
            for record, end in self._records(segment, octets):
                position = begun + end
                if isinstance(record, ObjectRecord):
                    segment.read = position
                    yield Entry(Place(segment.path.name, position), _received(segment, record), record.awaited)
                else:
                    number, like = record
                    segment.likes[number] = like
            segment.read = position
            if position == begun:
                segment.ended_at = size
                return

    def _records(
        self, segment: _Segment, octets: bytes
    ) -> Iterator[tuple[tuple[int, ReceivedObject] | ObjectRecord, int]]:
        position = 0
        while True:
            try:
                found = unpack(octets, position)
            except DamagedRecord:
                self._set_aside(segment)
                return
            if found is None:
                return
            yield found
            position = found[1]

    def _delete_if_closed(self, segment: _Segment) -> None:
        """Delete a segment that nobody writes any more; its writer holds a lock as long as it lives."""
        try:
            fcntl.flock(segment.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        if segment.ended_at == segment.size:
            if segment.taken < segment.size:
                # its writer died in the middle of a record, which was therefore never acknowledged
                log.warning("journal ends in part of a record", segment=segment.path.name)
            segment.path.unlink(missing_ok=True)
            self._forget(segment)
        else:
            fcntl.flock(segment.descriptor, fcntl.LOCK_UN)

    def _set_aside(self, segment: _Segment) -> None:
        """Keep a damaged segment for a person; what stands before the damage was given."""
        log.error("journal damaged, kept for a person", segment=segment.path.name, position=segment.read)
        segment.path.rename(segment.path.with_suffix(_DAMAGED))
        self._forget(segment)

    def _forget(self, segment: _Segment) -> None:
        os.close(segment.descriptor)
        del self._segments[segment.path.name]


def _received(segment: _Segment, record: ObjectRecord) -> ReceivedObject:
    like = segment.likes[record.like]
    own = (record.sop_instance_uid, record.acquisition_ended)
    if own == (like.sop_instance_uid, like.acquisition_ended):
        return like
    return replace(like, sop_instance_uid=own[0], acquisition_ended=own[1])
