"""The Modality Performed Procedure Step service as its provider (PS3.4, Annex F): N-CREATE and N-SET.

It must not answer success before the function that keeps the step has returned, and must not judge whether a step
may still change: who keeps it knows. N-GET is not offered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from uuid import uuid4

from dicom_listener.admission import Source
from dicom_listener.conformance import Status
from dicom_listener.header.data_elements import wanted_tags
from dicom_listener.header.values import AttributeReader
from dicom_listener.services.attribute_list import (
    Refused,
    answer,
    named_instance,
    read_attributes,
    required_items,
    required_text,
)
from dicom_listener.upper_layer.command_set import Response
from dicom_listener.upper_layer.message import Message
from worklist.intake.study import Code, ProcedureStep, StepStatus
from worklist.local_time import LocalTime, resolve

#: Error ID of an N-SET that failed because the step is completed or discontinued (PS3.4, Table F.7.2-2).
NO_LONGER_UPDATED = 0xA710

_OBJECT = wanted_tags("ReferencedSOPInstanceUID")
_OBJECT_SEQUENCES = ("ReferencedImageSequence", "ReferencedNonImageCompositeSOPInstanceSequence")
_REASON = "PerformedProcedureStepDiscontinuationReasonCodeSequence"
_CODE = wanted_tags("CodeValue", "CodingSchemeDesignator", "CodeMeaning", "LongCodeValue", "URNCodeValue")
_END_DATE, _END_TIME = "PerformedProcedureStepEndDate", "PerformedProcedureStepEndTime"
_WANTED = wanted_tags(
    "SpecificCharacterSet",
    "TimezoneOffsetFromUTC",
    "PerformedProcedureStepStatus",
    _END_DATE,
    _END_TIME,
    ScheduledStepAttributesSequence=wanted_tags("StudyInstanceUID", "AccessionNumber"),
    PerformedSeriesSequence=wanted_tags("SeriesInstanceUID", **dict.fromkeys(_OBJECT_SEQUENCES, _OBJECT)),
    **{_REASON: _CODE},
)


@dataclass(frozen=True, slots=True)
class StepAnswer:
    """What came of a step: a status of `conformance`, and for a failure a comment without values and an Error ID."""

    status: int = Status.SUCCESS
    comment: str = ""
    error_id: int | None = None


#: Keeps what a message says of a step and returns only when it is durable.
Note = Callable[[ProcedureStep], StepAnswer]


def create_step(message: Message, source: Source, note: Note) -> Response:
    """Answer an N-CREATE-RQ; a step that the user gives no UID gets one from us (PS3.7, 10.1.5.1.4)."""

    def act() -> Response:
        step_uid = named_instance(message.command) or f"2.25.{uuid4().int}"
        step = read_attributes(message, _WANTED, lambda attributes: _created(attributes, source, step_uid))
        return _response(note(step), step_uid)

    return answer(message, source, act)


def change_step(message: Message, source: Source, note: Note) -> Response:
    """Answer an N-SET-RQ, which names the step that it changes."""

    def act() -> Response:
        step_uid = named_instance(message.command)
        if not step_uid:
            raise Refused(Status.INVALID_SOP_INSTANCE, "SOPInstanceUID", "is missing")
        step = read_attributes(message, _WANTED, lambda attributes: _step(attributes, source, step_uid, creates=False))
        return _response(note(step), step_uid)

    return answer(message, source, act)


def _response(outcome: StepAnswer, step_uid: str) -> Response:
    return Response(outcome.status, outcome.comment, error_id=outcome.error_id, sop_instance_uid=step_uid)


def _created(attributes: AttributeReader, source: Source, step_uid: str) -> ProcedureStep:
    """Read a new step, which is in progress and belongs to a study (PS3.4, Table F.7.2-1)."""
    status = required_text(attributes, "PerformedProcedureStepStatus")
    if status != StepStatus.IN_PROGRESS:
        raise Refused(Status.INVALID_ATTRIBUTE_VALUE, "PerformedProcedureStepStatus", "of a new step is another")
    required_items(attributes, "ScheduledStepAttributesSequence")
    return _step(attributes, source, step_uid, creates=True)


def _step(attributes: AttributeReader, source: Source, step_uid: str, *, creates: bool) -> ProcedureStep:
    return ProcedureStep(
        calling_ae_title=source.ae_title,
        step_uid=step_uid,
        creates=creates,
        status=_status(attributes),
        studies=tuple(
            (scheduled.uid("StudyInstanceUID"), scheduled.text("AccessionNumber"))
            for scheduled in attributes.items("ScheduledStepAttributesSequence")
        ),
        ended=_ended(attributes),
        discontinuation_reason=_discontinuation_reason(attributes),
        performed_instances=_performed_instances(attributes),
    )


def _status(attributes: AttributeReader) -> StepStatus | None:
    text = attributes.text("PerformedProcedureStepStatus")
    try:
        return None if text is None else StepStatus(text)
    except ValueError:
        raise Refused(Status.INVALID_ATTRIBUTE_VALUE, "PerformedProcedureStepStatus", "is not a defined term") from None


def _ended(attributes: AttributeReader) -> LocalTime | None:
    day, clock = attributes.day(_END_DATE), attributes.clock(_END_TIME)
    offset = attributes.utc_offset("TimezoneOffsetFromUTC")
    if day is None or clock is None:
        return None
    return resolve(day[0], clock[0], as_sent=day[1] + clock[1], source=_END_TIME, utc_offset=offset)


def _discontinuation_reason(attributes: AttributeReader) -> Code | None:
    for item in attributes.items(_REASON):
        value = item.text("CodeValue") or item.text("LongCodeValue") or item.text("URNCodeValue")
        if value:
            return Code(value, item.text("CodingSchemeDesignator") or "", item.description("CodeMeaning") or "")
    return None


def _performed_instances(attributes: AttributeReader) -> tuple[tuple[str, int], ...]:
    by_series: dict[str, set[str]] = {}
    for series in attributes.items("PerformedSeriesSequence"):
        objects = by_series.setdefault(series.uid("SeriesInstanceUID"), set())
        sequences = chain.from_iterable(series.items(keyword) for keyword in _OBJECT_SEQUENCES)
        objects.update(each.uid("ReferencedSOPInstanceUID") for each in sequences)
    return tuple((series_uid, len(objects)) for series_uid, objects in by_series.items())
