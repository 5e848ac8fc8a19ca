"""A modality's procedure step is kept before it is answered, by pynetdicom as the modality."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pynetdicom.presentation import build_context

from dicom_listener.conformance import INSTANCE_AVAILABILITY_NOTIFICATION, MODALITY_PERFORMED_PROCEDURE_STEP, Status
from dicom_listener.services.performed_procedure_step import NO_LONGER_UPDATED, StepAnswer
from tests.dicom_listener.dicom_peers import code, encoded, p_data, scu
from tests.dicom_listener.services.requests import (
    CHANGE_STEP,
    CREATE_STEP,
    SERIES,
    STEP,
    STUDY,
    completed_step,
    keeping,
    new_step,
    with_values,
)
from worklist.intake.study import Code, ProcedureStep, StepStatus

MPPS = MODALITY_PERFORMED_PROCEDURE_STEP
CONTEXT = build_context(MPPS)


def test_a_new_step_is_kept() -> None:
    with keeping() as kept, scu(kept.listener.port, CONTEXT, ae_title="CT_ROOM_1") as modality:
        status, _ = modality.send_n_create(new_step(), MPPS, STEP)
    assert status.Status == 0
    assert kept.steps == [ProcedureStep("CT_ROOM_1", STEP, True, StepStatus.IN_PROGRESS, studies=((STUDY, "0012345"),))]


def test_a_completed_step_tells_its_end_and_what_it_made() -> None:
    with keeping() as kept, scu(kept.listener.port, CONTEXT) as modality:
        status, _ = modality.send_n_set(completed_step(1500), MPPS, STEP)
    assert status.Status == 0
    (step,) = kept.steps
    assert (step.creates, step.status, step.studies) == (False, StepStatus.COMPLETED, ())
    assert step.performed_instances == ((SERIES, 1500),)
    assert step.ended is not None
    assert (step.ended.at, step.ended.source) == (
        datetime(2026, 6, 10, 9, 42, tzinfo=UTC),
        "PerformedProcedureStepEndTime",
    )


def test_the_offset_from_utc_that_a_modality_states_is_believed() -> None:
    with keeping() as kept, scu(kept.listener.port, CONTEXT) as modality:
        modality.send_n_set(completed_step(TimezoneOffsetFromUTC="+0000"), MPPS, STEP)
    assert kept.steps[0].ended is not None
    assert kept.steps[0].ended.at == datetime(2026, 6, 10, 10, 42, tzinfo=UTC)


def test_images_and_other_objects_of_a_series_are_counted_once_each() -> None:
    one, two = (with_values(ReferencedSOPInstanceUID=f"{SERIES}.{number}") for number in (1, 2))
    series = with_values(
        SeriesInstanceUID=SERIES,
        ReferencedImageSequence=[one, one],
        ReferencedNonImageCompositeSOPInstanceSequence=[two],
    )
    with keeping() as kept, scu(kept.listener.port, CONTEXT) as modality:
        modality.send_n_set(with_values(PerformedSeriesSequence=[series, series]), MPPS, STEP)
    assert kept.steps[0].performed_instances == ((SERIES, 2),)


def test_a_discontinued_step_tells_why() -> None:
    reason = [code("110513", "DCM", "Discontinued for unspecified reason")]
    changes = with_values(
        PerformedProcedureStepStatus="DISCONTINUED", PerformedProcedureStepDiscontinuationReasonCodeSequence=reason
    )
    with keeping() as kept, scu(kept.listener.port, CONTEXT) as modality:
        modality.send_n_set(changes, MPPS, STEP)
    assert kept.steps[0].status is StepStatus.DISCONTINUED
    assert kept.steps[0].discontinuation_reason == Code("110513", "DCM", "Discontinued for unspecified reason")


def test_a_step_without_a_uid_gets_one_and_is_kept_under_it() -> None:
    with keeping() as kept, kept.listener.raw() as peer:
        peer.associate(CREATE_STEP.context())
        peer.send(p_data(3, CREATE_STEP.command(instance="")) + p_data(2, encoded(new_step())))
        status, elements = peer.read_status()
    assert status == 0
    assert elements[0x1000].rstrip(b"\0").decode() == kept.steps[0].step_uid
    assert kept.steps[0].step_uid.startswith("2.25.")


def test_what_the_keeper_says_of_a_step_is_answered() -> None:
    outcome = StepAnswer(Status.PROCESSING_FAILURE, "the step is completed", NO_LONGER_UPDATED)
    with keeping(step_answer=lambda _: outcome) as kept, scu(kept.listener.port, CONTEXT) as modality:
        status, _ = modality.send_n_set(completed_step(), MPPS, STEP)
    assert (status.Status, status.ErrorComment, status.ErrorID) == (0x0110, "the step is completed", 0xA710)


def test_a_keeper_that_fails_is_no_success_and_its_error_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    def fail(step: ProcedureStep) -> StepAnswer:
        raise ConnectionError(step.studies)

    with keeping(step_answer=fail) as kept, scu(kept.listener.port, CONTEXT) as modality:
        status, _ = modality.send_n_create(new_step(), MPPS, STEP)
        assert modality.send_n_set(completed_step(), MPPS, STEP)[0].Status == 0x0110
    assert (status.Status, status.ErrorComment) == (0x0110, "not kept, try again")
    ours = "".join(record.getMessage() for record in caplog.records if record.name.startswith("dicom_listener"))
    assert "ConnectionError" in ours
    assert STUDY not in ours


@pytest.mark.parametrize(
    ("attributes", "status"),
    [
        (new_step(PerformedProcedureStepStatus=None), Status.MISSING_ATTRIBUTE),
        (new_step(PerformedProcedureStepStatus="COMPLETED"), Status.INVALID_ATTRIBUTE_VALUE),
        (new_step(ScheduledStepAttributesSequence=None), Status.MISSING_ATTRIBUTE),
        (
            new_step(ScheduledStepAttributesSequence=[with_values(AccessionNumber="0012345")]),
            Status.INVALID_ATTRIBUTE_VALUE,
        ),
    ],
    ids=["no status", "completed at once", "no study", "study without a UID"],
)
def test_a_new_step_must_be_in_progress_and_name_its_study(attributes: Dataset, status: Status) -> None:
    with keeping() as kept, kept.listener.raw() as peer:
        peer.associate(CREATE_STEP.context())
        assert CREATE_STEP.ask(peer, encoded(attributes)) == status
    assert kept.steps == []


@pytest.mark.parametrize("instance", ["", "<script>"])
def test_a_change_must_name_its_step(instance: str) -> None:
    with keeping() as kept, kept.listener.raw() as peer:
        peer.associate(CHANGE_STEP.context())
        assert CHANGE_STEP.ask(peer, encoded(completed_step()), instance=instance) == Status.INVALID_SOP_INSTANCE
    assert kept.steps == []


def test_a_step_cannot_be_asked_for() -> None:
    with keeping() as kept, scu(kept.listener.port, CONTEXT) as modality:
        assert modality.send_n_get([Tag(0x00400252)], MPPS, STEP)[0].Status == Status.UNRECOGNIZED_OPERATION


def test_a_change_in_the_context_of_notices_is_not_an_operation() -> None:
    context = build_context(INSTANCE_AVAILABILITY_NOTIFICATION, "1.2.840.10008.1.2")
    with keeping() as kept, kept.listener.raw() as peer:
        peer.associate(context)
        assert CHANGE_STEP.ask(peer, encoded(completed_step())) == Status.UNRECOGNIZED_OPERATION
