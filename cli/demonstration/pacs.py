"""Plays the PACS of the demonstration: sends objects over real DICOM associations.

It must not alter what it sends: an object goes out in the transfer syntax that it is stored in,
and nothing is decompressed. No header value enters a reason for refusal.
"""

from __future__ import annotations

import socket
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pydicom.dataset import Dataset
from pydicom.filereader import read_file_meta_info
from pynetdicom import AE, _config, evt
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext, build_context

from cli.demonstration.studies import DemoStudy
from dicom_listener.client.checkpoint import stop_theft

#: Called with a number of objects that are done, accepted or refused; from the senders' threads.
Progress = Callable[[int], None]


def send(
    studies: Sequence[DemoStudy],
    host: str,
    port: int,
    called_ae_title: str,
    *,
    senders: int,
    progress: Progress | None = None,
) -> Sent:
    """Send studies as the sources they belong to, with up to `senders` associations at a time.

    An association carries the studies of one calling AE title, a study whole on one association. A
    failed association is tried again a few times, each time with the objects not yet answered.
    """
    by_source: dict[str, list[_Item]] = defaultdict(list)
    for study in studies:
        by_source[study.ae_title].append(tuple(study.datasets))
    batches = [
        (ae_title, [each for item in items[start : start + _STUDIES_AT_ONCE] for each in item])
        for ae_title, items in by_source.items()
        for start in range(0, len(items), _STUDIES_AT_ONCE)
    ]
    return _send_all(batches, _Peer(host, port, called_ae_title), senders, progress)


def send_files(
    paths: Sequence[Path],
    calling_ae_title: str,
    host: str,
    port: int,
    called_ae_title: str,
    *,
    senders: int,
    progress: Progress | None = None,
) -> Sent:
    """Send DICOM files as one source, their data sets octet by octet as they are stored.

    Class, instance and transfer syntax are those that the file meta information states.
    """
    _config.STORE_SEND_CHUNKED_DATASET = True  # else pynetdicom decodes a file and encodes it anew
    # Files of one class share contexts, and an association offers 128 at most.
    ordered = sorted(paths, key=lambda path: (_syntax_of(path), str(path)))
    batches = [
        (calling_ae_title, list(ordered[start : start + _FILES_AT_ONCE]))
        for start in range(0, len(ordered), _FILES_AT_ONCE)
    ]
    return _send_all(batches, _Peer(host, port, called_ae_title), senders, progress)


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of the objects; each refused one has its reason, with the calling AE title."""

    objects: int
    accepted: int
    refused: tuple[str, ...]
    seconds: float


_Object = Dataset | Path
_Item = tuple[Dataset, ...]
_STUDIES_AT_ONCE = 20
_FILES_AT_ONCE = 64
_TRIES = 5
_SECONDS_BEFORE_NEXT_TRY = 0.2


def _send_all(
    batches: Sequence[tuple[str, Sequence[_Object]]],
    peer: _Peer,
    senders: int,
    progress: Progress | None,
) -> Sent:
    began = time.monotonic()

    def work(batch: tuple[str, Sequence[_Object]]) -> list[str | None]:
        return _Sender(batch[0], peer, progress).send(batch[1])

    with ThreadPoolExecutor(max_workers=max(1, senders), thread_name_prefix="pacs") as pool:
        answers = [answer for answered in pool.map(work, batches) for answer in answered]
    refused = tuple(answer for answer in answers if answer is not None)
    return Sent(len(answers), len(answers) - len(refused), refused, time.monotonic() - began)


class _Peer(NamedTuple):
    host: str
    port: int
    ae_title: str


class _Sender:
    """Sends one batch; an answer is None when the object was accepted, else the reason."""

    def __init__(self, ae_title: str, peer: _Peer, progress: Progress | None) -> None:
        self._ae_title = ae_title
        self._peer = peer
        self._progress = progress

    def send(self, objects: Sequence[_Object]) -> list[str | None]:
        """Give an answer for each object, in order."""
        answers: list[str | None] = []
        fruitless = 0
        while len(answers) < len(objects):
            if fruitless:
                time.sleep(_SECONDS_BEFORE_NEXT_TRY * 2**fruitless)
            answered = len(answers)
            association = self._associate(objects[answered:])
            if association.is_established:
                self._store(association, objects, answers)
                failure, concerned = "association lost", 1
            else:
                failure = "association rejected" if association.is_rejected else "no association"
                concerned = len(objects) - answered
            fruitless = fruitless + 1 if len(answers) == answered else 0
            if fruitless == _TRIES:
                # Without an association nothing can be sent; one that is lost each time cannot send its object.
                answers += [f"{self._ae_title}: {failure}"] * concerned
                self._done(concerned)
                fruitless = 0
        return answers

    def _associate(self, objects: Iterable[_Object]) -> Association:
        entity = AE(ae_title=self._ae_title)
        entity.requested_contexts = _contexts(objects)
        return entity.associate(
            self._peer.host,
            self._peer.port,
            ae_title=self._peer.ae_title,
            evt_handlers=[(evt.EVT_CONN_OPEN, stop_theft), (evt.EVT_CONN_OPEN, _send_without_delay)],
        )

    def _store(self, association: Association, objects: Sequence[_Object], answers: list[str | None]) -> None:
        """Add an answer for each object until the association is lost."""
        for number, each in enumerate(objects[len(answers) :], start=1):
            try:
                status = association.send_c_store(each, msg_id=number % 65536)
            except RuntimeError:  # the association ended between two objects
                return
            except ValueError:
                answers.append(f"{self._ae_title}: no presentation context accepted, or not encodable")
            else:
                if "Status" not in status:
                    return
                answers.append(self._judge(status.Status))
            self._done(1)
        association.release()

    def _judge(self, status: int) -> str | None:
        succeeded = status == 0 or status >> 12 == 0xB  # a warning: stored all the same
        return None if succeeded else f"{self._ae_title}: status 0x{status:04X}"

    def _done(self, objects: int) -> None:
        if self._progress is not None:
            self._progress(objects)


def _send_without_delay(event: evt.Event) -> None:
    """Switch Nagle's algorithm off: it would hold each data set until the command is acknowledged."""
    connection = event.assoc.dul.socket
    if connection is not None and connection.socket is not None:
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _contexts(objects: Iterable[_Object]) -> list[PresentationContext]:
    """Offer each pair of class and transfer syntax in a context of its own."""
    pairs = dict.fromkeys(_class_and_syntax(each) for each in objects)
    return [build_context(sop_class, [syntax]) for sop_class, syntax in pairs]


def _class_and_syntax(each: _Object) -> tuple[str, str]:
    meta = read_file_meta_info(each) if isinstance(each, Path) else each.file_meta
    return str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID)


def _syntax_of(path: Path) -> str:
    return _class_and_syntax(path)[1]
