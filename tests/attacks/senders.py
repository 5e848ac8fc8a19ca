"""Senders that keep book of what was acknowledged to them: DCMTK's storescu and a scripted peer; both send again.

It must not look into the product: what counts here is what a PACS sees.
"""

from __future__ import annotations

import random
import subprocess
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from tests.attacks.objects import ROOT, Element, Object, ct_object
from tests.attacks.wire import CT, EXPLICIT, HOST, IMPLICIT, Peer, p_data, store_rq, uid
from tests.dicom_listener.dicom_peers import encoded
from tests.dicom_listener.services.requests import N_CREATE, N_SET, Asked, new_step

STEPS = "1.2.840.10008.3.1.2.3.3"
NOTICES = "1.2.840.10008.5.1.4.33"
#: What a source proposes that speaks all services: objects go under 5, steps under 3, notices under 7.
CONTEXTS = ((3, STEPS, (IMPLICIT,)), (5, CT, (EXPLICIT,)), (7, NOTICES, (IMPLICIT,)))
SUCCESS = 0


@dataclass(frozen=True, slots=True)
class Study:
    """A study's UID and the UIDs of its objects by series; its accession number is `ACC` and its number."""

    number: int
    objects: tuple[tuple[Object, ...], ...]

    @property
    def study_instance(self) -> str:
        return f"{ROOT}.2.{self.number}"

    @property
    def instances(self) -> frozenset[str]:
        return frozenset(one.sop_instance for series in self.objects for one in series)


def make_study(number: int, *, series: int = 2, objects: int = 15, pixels: int = 20_000) -> Study:
    """Make a study of CT objects of which no two have the same UID."""
    made = tuple(
        tuple(
            ct_object(number, pixels=pixels).but(Element(0x0020000E, "UI", uid(f"{ROOT}.3.{number}.{each}")))
            for _ in range(objects)
        )
        for each in range(series)
    )
    return Study(number, made)


def write_files(folder: Path, studies: Iterable[Study]) -> dict[Path, str]:
    """Write the objects of studies as files and give their SOP instance UIDs by path."""
    written = {}
    for study in studies:
        for one in (each for series in study.objects for each in series):
            data_set = data_set_of(one)
            path = folder / f"{one.sop_instance.rsplit('.', 1)[1]}.dcm"
            data_set.save_as(path, enforce_file_format=True)
            written[path] = one.sop_instance
    return written


def data_set_of(one: Object) -> Dataset:
    """Give an object as pydicom has it."""
    data_set = dcmread(BytesIO(one.encoded()), force=True)
    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return data_set


@dataclass
class Dcmtk:
    """A PACS that sends files with storescu until each was acknowledged; runs in a thread of its own.

    Of each round `acknowledged` grows as responses are read; `again` counts how often something had to be sent again.
    """

    port: int
    ae_title: str
    chance: random.Random
    acknowledged: set[str] = field(default_factory=set)
    again: int = 0

    def send(self, files: dict[Path, str], gives_up: threading.Event) -> None:
        """Send files in any order, and again what was not acknowledged."""
        waiting = dict(files)
        while waiting and not gives_up.is_set():
            order = list(waiting)
            self.chance.shuffle(order)
            for path in self._try(order):
                self.acknowledged.add(waiting.pop(path))
            self.again += len(waiting)
            if waiting:
                gives_up.wait(0.05)

    def _try(self, paths: Sequence[Path]) -> Iterable[Path]:
        """Run storescu once over files; gives each as soon as its success was read."""
        words = ["storescu", "-v", "-to", "20", "-ta", "20", "-td", "20", "-aet", self.ae_title, "-aec", "RADPOOL"]
        with subprocess.Popen(
            [*words, HOST, str(self.port), *map(str, paths)],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        ) as process:
            assert process.stderr is not None
            sending = None
            for line in process.stderr:
                if line.startswith("I: Sending file: "):
                    sending = Path(line.removeprefix("I: Sending file: ").strip())
                elif line.startswith("I: Received Store Response (Success)") and sending is not None:
                    yield sending
                    sending = None


def send_and_meanwhile(port: int, ae_title: str, one: Object, meanwhile: Callable[[], None]) -> bool:
    """Send one object, let something happen between the request and its response; whether it was acknowledged."""
    try:
        with Peer(port, seconds=20) as peer:
            peer.associate(ae_title)
            peer.send(store_rq(5, one.sop_instance, one.encoded()))
            meanwhile()
            return peer.status() == SUCCESS
    except (AssertionError, OSError):
        return False


def send_at_last(port: int, ae_title: str, one: Object, gives_up: threading.Event) -> None:
    """Send one object on new associations until it was acknowledged."""
    while not gives_up.is_set() and not send_and_meanwhile(port, ae_title, one, lambda: None):
        gives_up.wait(0.05)


def begin_step_at_last(port: int, ae_title: str, step_uid: str, study: Study, gives_up: threading.Event) -> None:
    """Begin a performed procedure step of a study, again until that was acknowledged."""
    while not gives_up.is_set() and not _begin_step(port, ae_title, step_uid, study):
        gives_up.wait(0.05)


def _begin_step(port: int, ae_title: str, step_uid: str, study: Study) -> bool:
    step = new_step()
    step.ScheduledStepAttributesSequence[0].StudyInstanceUID = study.study_instance
    step.ScheduledStepAttributesSequence[0].AccessionNumber = f"ACC{study.number}"
    try:
        with Peer(port, seconds=20) as peer:
            peer.associate(ae_title, CONTEXTS)
            return ask(peer, create_rq(STEPS, step_uid, step)) == SUCCESS
    except (AssertionError, OSError):
        return False


def create_rq(sop_class: str, instance: str, attributes: Dataset) -> bytes:
    """Give an N-CREATE-RQ of a step or a notice."""
    return _request(Asked(N_CREATE, sop_class, instance), attributes)


def set_rq(instance: str, attributes: Dataset) -> bytes:
    """Give an N-SET-RQ of a step."""
    return _request(Asked(N_SET, STEPS, instance), attributes)


def ask(peer: Peer, request: bytes) -> int:
    """Send a request and give the status of its response."""
    peer.send(request)
    return peer.status()


def _request(asked: Asked, attributes: Dataset) -> bytes:
    context_id = 3 if asked.sop_class_uid == STEPS else 7
    return p_data(context_id, 3, asked.command()) + p_data(context_id, 2, encoded(attributes))
