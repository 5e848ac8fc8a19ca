"""Appends received objects to the journal of one worker process; returns when they outlive the process.

A segment is a file that one writer holds locked and no other touches; the reader deletes it once the lock is gone
and all of it is in the worklist. It must not read.
"""

from __future__ import annotations

import fcntl
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from time import time_ns

from dicom_listener.header.reader import ObjectHeader
from dicom_listener.journal.record import pack_like, pack_object
from worklist.intake.study import ReceivedObject

SUFFIX = ".journal"
_SEGMENT_BYTES = 8 * 1024 * 1024
#: What may be shared at a time; more studies than this at once repeat their facts.
_MOST_LIKE = 1024


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record ends: the segment's file name and the bytes up to there."""

    segment: str
    end: int


class JournalWriter:
    """Writes segments into a folder, from many threads; `fsync` makes records outlive a loss of power too."""

    def __init__(self, folder: Path, *, fsync: bool = False, segment_bytes: int = _SEGMENT_BYTES) -> None:
        self._folder = folder
        self._fsync = fsync
        self._segment_bytes = segment_bytes
        self._lock = threading.Lock()
        self._syncing = threading.Lock()
        self._segments = 0
        self._descriptor: int | None = None
        self._name = ""
        self._end = self._synced = 0
        self._numbers: dict[int, tuple[int, ReceivedObject]] = {}

    def append(self, header: ObjectHeader, *, awaited: bool) -> Place:
        """Append one object and give where its record ends.

        Raises
        ------
        OSError
            When it could not be written whole; nothing of it is left then.
        ValueError
            When it is too long to be written at all.
        """
        with self._lock:
            descriptor = self._open()
            known = self._numbers.get(id(header.like))
            number = known[0] if known else len(self._numbers)
            octets = pack_object(number, header, awaited=awaited)
            if known is None:
                octets = pack_like(number, header.like) + octets
            self._write(descriptor, octets)
            # holding the object keeps its identity from being given to another
            self._numbers[id(header.like)] = number, header.like
            self._end += len(octets)
            place = Place(self._name, self._end)
        if self._fsync:
            self._sync(place)
        return place

    def finish(self, segment: str, end: int) -> None:
        """Close a segment of which all is in the worklist, if nothing was appended to it since."""
        with self._lock:
            if self._name == segment and self._end == end:
                self._close()

    def close(self) -> None:
        """Close the segment in hand; the next object begins another."""
        with self._lock:
            self._close()

    def _open(self) -> int:
        if self._descriptor is not None and (self._end >= self._segment_bytes or len(self._numbers) >= _MOST_LIKE):
            self._close()
        if self._descriptor is None:
            self._segments += 1
            name = f"{time_ns()}-{os.getpid()}-{self._segments}{SUFFIX}"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
            # made under a name that no reader looks at until the lock is held
            making = self._folder / f".{name}"
            descriptor = os.open(making, flags, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                making.rename(self._folder / name)
            except OSError:
                os.close(descriptor)
                raise
            self._descriptor, self._name = descriptor, name
            self._end = self._synced = 0
        return self._descriptor

    def _write(self, descriptor: int, octets: bytes) -> None:
        try:
            written = os.write(descriptor, octets)
        except OSError:
            os.ftruncate(descriptor, self._end)
            raise
        if written != len(octets):
            os.ftruncate(descriptor, self._end)
            raise OSError("the journal's disk is full")

    def _sync(self, place: Place) -> None:
        """Sync once for all who wait: who comes while another syncs finds its record synced by the next."""
        with self._syncing:
            with self._lock:
                descriptor, end = self._descriptor, self._end
                if descriptor is None or self._name != place.segment or self._synced >= place.end:
                    return  # a segment is synced when it is closed
                descriptor = os.dup(descriptor)
            try:
                os.fdatasync(descriptor)
            finally:
                os.close(descriptor)
            with self._lock:
                if self._name == place.segment:
                    self._synced = max(self._synced, end)

    def _close(self) -> None:
        if self._descriptor is not None:
            try:
                if self._fsync:
                    os.fdatasync(self._descriptor)
            finally:
                os.close(self._descriptor)
                self._descriptor = None
                self._numbers.clear()
