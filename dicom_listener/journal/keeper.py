"""Keeps each received object: in the journal at once, and the first of a series in the worklist before it returns.

It is a worker's side of the promise that success is answered only for what is durable. It must not open a database.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from dicom_listener.header.reader import ObjectHeader
from dicom_listener.journal.writer import JournalWriter, Place
from dicom_listener.services.storage import SUCCESS, StoreAnswer

#: Series that are in the worklist, of which this many are remembered.
_MOST_SERIES = 65536

#: Waits until a place of the journal is in the worklist and gives what came of the object that ends there.
Commit = Callable[[Place], StoreAnswer]


class Keeper:
    """Keeps what the associations of one worker receive; `every` lets each object wait for its commit.

    The journal suffices for an object when another of its study and series, from the same source and with the same
    shared facts, is in the worklist: then it can be refused for no reason that the first was not.
    """

    def __init__(self, journal: JournalWriter, commit: Commit, *, every: bool = False) -> None:
        self._journal = journal
        self._commit = commit
        self._every = every
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str, str], None] = {}
        self._full = False

    def told(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Hear from the process that reads the journal: a segment is done with, or too much waits in it."""
        if kind == "finished":
            self._journal.finish(fields["segment"], fields["end"])
        elif kind == "full":
            self._full = fields["full"]

    def keep(self, header: ObjectHeader) -> StoreAnswer:
        """Keep one object; success means that it outlives this process.

        Raises
        ------
        OSError
            When the journal or its disk is full, or the disk broken: nothing was kept.
        """
        if self._full:
            raise OSError("too much of the journal waits for the database")
        like = header.like
        series = like.calling_ae_title, like.study_instance_uid, like.series_instance_uid
        awaited = self._every or series not in self._known
        place = self._journal.append(header, awaited=awaited)
        if not awaited:
            return StoreAnswer()
        answer = self._commit(place)
        if answer.status == SUCCESS:
            self._remember(series)
        return answer

    def _remember(self, series: tuple[str, str, str]) -> None:
        with self._lock:
            while len(self._known) >= _MOST_SERIES:
                del self._known[next(iter(self._known))]
            self._known[series] = None
