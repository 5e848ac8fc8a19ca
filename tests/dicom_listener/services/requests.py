"""Requests of DIMSE-N as peers write them, and a listener that keeps what they say in lists."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pynetdicom.presentation import build_context

from dicom_listener.conformance import (
    INSTANCE_AVAILABILITY_NOTIFICATION,
    MODALITY_PERFORMED_PROCEDURE_STEP,
    STORAGE_COMMITMENT_INSTANCE,
    STORAGE_COMMITMENT_PUSH_MODEL,
)
from dicom_listener.services.normalized import normalized_services
from dicom_listener.services.performed_procedure_step import StepAnswer
from dicom_listener.services.storage_commitment import Commitment
from tests.dicom_listener.dicom_peers import Listener, RawPeer, element, p_data, running_listener
from worklist.intake.study import AvailabilityNotice, ProcedureStep

STEP = "1.2.826.0.1.3680043.8.498.70"
STUDY = "1.2.826.0.1.3680043.8.498.2"
SERIES = "1.2.826.0.1.3680043.8.498.3"
CT = "1.2.840.10008.5.1.4.1.1.2"
N_EVENT_REPORT, N_SET, N_ACTION, N_CREATE = 0x0100, 0x0120, 0x0130, 0x0140


@dataclass
class Kept:
    """A listener with all services, and what was kept of their requests."""

    listener: Listener
    steps: list[ProcedureStep] = field(default_factory=list)
    notices: list[AvailabilityNotice] = field(default_factory=list)
    commitments: list[Commitment] = field(default_factory=list)


@contextmanager
def keeping(
    *,
    step_answer: Callable[[ProcedureStep], StepAnswer] = lambda _: StepAnswer(),
    announced: Callable[[AvailabilityNotice], None] = lambda _: None,
    delivers: bool = False,
    **limits: Any,
) -> Iterator[Kept]:
    """Run a listener with all services; `delivers` is whether it can report on associations of its own."""
    steps: list[ProcedureStep] = []
    notices: list[AvailabilityNotice] = []
    commitments: list[Commitment] = []

    def note(step: ProcedureStep) -> StepAnswer:
        steps.append(step)
        return step_answer(step)

    def announce(notice: AvailabilityNotice) -> None:
        notices.append(notice)
        announced(notice)

    def deliver(commitment: Commitment) -> bool:
        commitments.append(commitment)
        return delivers

    services = normalized_services(note, announce, deliver)
    with running_listener(other_services=services, **limits) as listener:
        yield Kept(listener, steps, notices, commitments)


def with_values(**values: Any) -> Dataset:
    """Give a data set with values by keyword; lists become sequences, None is left out."""
    data_set = Dataset()
    for keyword, value in values.items():
        if value is not None:
            setattr(data_set, keyword, Sequence(value) if isinstance(value, list) else value)
    return data_set


def new_step(**values: Any) -> Dataset:
    """Give the attributes of an N-CREATE of a step in progress."""
    scheduled = with_values(StudyInstanceUID=STUDY, AccessionNumber="0012345")
    return with_values(
        **{
            "PerformedProcedureStepStatus": "IN PROGRESS",
            "PerformedProcedureStepStartDate": "20260610",
            "PerformedProcedureStepStartTime": "103000",
            "ScheduledStepAttributesSequence": [scheduled],
            **values,
        }
    )


def completed_step(images: int = 3, **values: Any) -> Dataset:
    """Give the attributes of an N-SET that completes a step with one series."""
    made = [
        with_values(ReferencedSOPClassUID=CT, ReferencedSOPInstanceUID=f"{SERIES}.{number}") for number in range(images)
    ]
    return with_values(
        **{
            "PerformedProcedureStepStatus": "COMPLETED",
            "PerformedProcedureStepEndDate": "20260610",
            "PerformedProcedureStepEndTime": "104200",
            "PerformedSeriesSequence": [with_values(SeriesInstanceUID=SERIES, ReferencedImageSequence=made)],
            **values,
        }
    )


def notice(*availability: str) -> Dataset:
    """Give the attributes of a notice that names one object with each availability."""
    references = [
        with_values(InstanceAvailability=each, ReferencedSOPClassUID=CT, ReferencedSOPInstanceUID=f"{SERIES}.{number}")
        for number, each in enumerate(availability)
    ]
    series = with_values(SeriesInstanceUID=SERIES, ReferencedSOPSequence=references)
    return with_values(StudyInstanceUID=STUDY, ReferencedSeriesSequence=[series])


def commitment(count: int = 2) -> Dataset:
    """Give the action information of a request to keep some objects."""
    references = [
        with_values(ReferencedSOPClassUID=CT, ReferencedSOPInstanceUID=f"{SERIES}.{number}") for number in range(count)
    ]
    return with_values(TransactionUID="1.2.826.0.1.3680043.8.498.9", ReferencedSOPSequence=references)


@dataclass(frozen=True)
class Asked:
    """One kind of request as a scripted peer sends it."""

    field: int
    sop_class_uid: str
    sop_instance_uid: str

    def context(self) -> Any:
        """Give the presentation context to propose."""
        return build_context(self.sop_class_uid, "1.2.840.10008.1.2")

    def command(self, *, message_id: int = 1, instance: str | None = None, sop_class: str | None = None) -> bytes:
        """Encode the command set of a request with a data set."""
        instance = self.sop_instance_uid if instance is None else instance
        creates = self.field == N_CREATE
        sop_class = self.sop_class_uid if sop_class is None else sop_class
        body = element(0x00000002 if creates else 0x00000003, padded(sop_class))
        body += element(0x00000100, struct.pack("<H", self.field))
        body += element(0x00000110, struct.pack("<H", message_id))
        body += element(0x00000800, struct.pack("<H", 1))
        if instance:
            body += element(0x00001000 if creates else 0x00001001, padded(instance))
        if self.field == N_ACTION:
            body += element(0x00001008, struct.pack("<H", 1))
        return element(0x00000000, struct.pack("<L", len(body))) + body

    def ask(self, peer: RawPeer, data: bytes, **words: Any) -> int:
        """Send a request in PDUs of 100 kB and give the status of the response."""
        parts = [data[start : start + 100_000] for start in range(0, len(data), 100_000)] or [b""]
        peer.send(p_data(3, self.command(**words)))
        for part in parts[:-1]:
            peer.send(p_data(0, part))
        peer.send(p_data(2, parts[-1]))
        return peer.read_status()[0]


CREATE_STEP = Asked(N_CREATE, MODALITY_PERFORMED_PROCEDURE_STEP, STEP)
CHANGE_STEP = Asked(N_SET, MODALITY_PERFORMED_PROCEDURE_STEP, STEP)
TAKE_NOTICE = Asked(N_CREATE, INSTANCE_AVAILABILITY_NOTIFICATION, STEP)
COMMIT = Asked(N_ACTION, STORAGE_COMMITMENT_PUSH_MODEL, STORAGE_COMMITMENT_INSTANCE)


def padded(text: str) -> bytes:
    """Give text in octets of even number."""
    return text.encode() + b"\0" * (len(text) % 2)
