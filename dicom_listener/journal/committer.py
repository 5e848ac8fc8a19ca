"""Takes the journal into the worklist, many objects to a commit, and tells those who wait for theirs.

One thread of the acceptor's process. It must not know the database: it is given the function that takes a batch in.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from time import monotonic
from typing import Any

import structlog

from dicom_listener.header.reader import ObjectHeader
from dicom_listener.journal.reader import Entry, JournalReader
from dicom_listener.journal.writer import SUFFIX, JournalWriter, Place
from dicom_listener.services.storage import OUT_OF_RESOURCES, StoreAnswer
from worklist.intake.study import ReceivedObject

log = structlog.get_logger(__name__)

#: How long objects that nobody waits for may gather before they are taken in, and at most while many come.
GATHER_SECONDS, _GATHER_MOST_SECONDS = 0.2, 1.0
#: So much more in the journal after `GATHER_SECONDS`, some hundred objects, tells that many come.
_MANY_BYTES = 16 * 1024
_BATCH = 1000
_PAUSE_SECONDS = 0.25
_IDLE_SECONDS = 5.0

#: Takes objects into the worklist in one transaction and gives what came of each, in order.
Take = Callable[[Sequence[ReceivedObject]], "list[StoreAnswer]"]


class Committer:
    """Reads the journal in `folder` until stopped.

    `tell` hears of segments that can be closed, and when more than `most_bytes` wait. An acknowledged object
    that the worklist cannot take (a fault of ours) is set aside in the folder, and tried again at the next start.
    """

    def __init__(
        self,
        folder: Path,
        take: Take,
        tell: Callable[[str, Mapping[str, Any]], None],
        *,
        most_bytes: int = 512 * 1024 * 1024,
    ) -> None:
        self._aside = folder / "aside"
        self._aside.mkdir(mode=0o700, exist_ok=True)
        for segment in self._aside.glob(f"*{SUFFIX}"):
            segment.rename(folder / segment.name)
        self._reader = JournalReader(folder)
        self._take = take
        self._tell = tell
        self._most_bytes = most_bytes
        self._full = False
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._stopping = threading.Event()
        self._waiting: dict[Place, Future[StoreAnswer]] = {}
        self._answers: dict[Place, StoreAnswer] = {}
        self._waiting_bytes = 0
        self._quiet_since = monotonic()

    @property
    def waiting_bytes(self) -> int:
        """How much of the journal was not in the worklist when it was last looked at."""
        return self._waiting_bytes

    def committed(self, place: Place) -> Future[StoreAnswer]:
        """Give the answer for the awaited object that ends at a place of the journal, once it is committed."""
        future = Future[StoreAnswer]()
        with self._lock:
            answer = self._answers.pop(place, None)
            if answer is None:
                self._waiting[place] = future
        if answer is None:
            self._news.set()
        else:
            future.set_result(answer)
        return future

    def run(self) -> None:
        """Take in until stopped, what is left at the end too; a fault of the database is waited out."""
        while not self._stopping.is_set():
            if self._step() < _BATCH:
                self._gather()
            self._news.clear()
        while self._step():
            pass
        self._reader.close()

    def stop(self) -> None:
        """Let `run` come to its end."""
        self._stopping.set()
        self._news.set()

    def _gather(self) -> None:
        """Wait while many come, until somebody waits for a commit: a batch costs much the same whatever it holds."""
        until = monotonic() + _GATHER_MOST_SECONDS
        before, waiting_bytes = 0, self._reader.waiting_bytes()
        while not self._news.wait(GATHER_SECONDS) and monotonic() < until:
            before, waiting_bytes = waiting_bytes, self._reader.waiting_bytes()
            if waiting_bytes - before < _MANY_BYTES:
                return

    def _step(self) -> int:
        """Take one batch in and give how many objects it had."""
        entries = self._reader.read(_BATCH)
        if not entries:
            self._reader.advance()
            self._rest()
            return 0
        try:
            answers = self._take([entry.received for entry in entries])
        except Exception as error:
            log.warning("journal not taken in; will try again", objects=len(entries), error=type(error).__name__)
            self._reader.give_again()
            self._measure()
            self._stopping.wait(_PAUSE_SECONDS)
            return 0
        self._set_aside([entry for entry, answer in zip(entries, answers, strict=True) if _is_ours(entry, answer)])
        self._reader.advance()
        self._quiet_since = monotonic()
        self._answer(entries, answers)
        self._measure()
        return len(entries)

    def _answer(self, entries: Sequence[Entry], answers: Sequence[StoreAnswer]) -> None:
        for entry, answer in zip(entries, answers, strict=True):
            if not entry.awaited:
                continue
            with self._lock:
                future = self._waiting.pop(entry.place, None)
                if future is None:
                    self._answers[entry.place] = answer
            if future is not None:
                future.set_result(answer)

    def _rest(self) -> None:
        """Nothing to do: let segments that hold nothing new be closed, and forget answers nobody came for."""
        self._measure()
        if monotonic() - self._quiet_since < _IDLE_SECONDS:
            return
        self._quiet_since = monotonic()
        with self._lock:
            self._answers.clear()
        for place in self._reader.idle():
            self._tell("finished", {"segment": place.segment, "end": place.end})

    def _measure(self) -> None:
        """Look how much waits, and let the workers know when it is too much or no longer."""
        self._waiting_bytes = self._reader.waiting_bytes()
        full = self._waiting_bytes > self._most_bytes
        if full != self._full:
            self._full = full
            self._tell("full", {"full": full})

    def _set_aside(self, entries: Sequence[Entry]) -> None:
        if not entries:
            return
        log.error("acknowledged objects could not be taken in; set aside", objects=len(entries))
        writer = JournalWriter(self._aside, fsync=True)
        for entry in entries:
            received = entry.received
            header = ObjectHeader(received, received.sop_instance_uid, received.acquisition_ended)
            writer.append(header, awaited=False)
        writer.close()


def _is_ours(entry: Entry, answer: StoreAnswer) -> bool:
    """Whether an object that was acknowledged already met a fault of ours."""
    return answer.status == OUT_OF_RESOURCES and not entry.awaited
