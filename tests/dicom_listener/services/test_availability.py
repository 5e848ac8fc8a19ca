"""A notice of availability is kept before it is answered, by pynetdicom as the PACS."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset
from pynetdicom.presentation import build_context

from dicom_listener.conformance import INSTANCE_AVAILABILITY_NOTIFICATION, Status
from tests.dicom_listener.dicom_peers import encoded, scu
from tests.dicom_listener.services.requests import STEP, STUDY, TAKE_NOTICE, keeping, notice, with_values
from worklist.intake.study import AvailabilityNotice

IAN = INSTANCE_AVAILABILITY_NOTIFICATION
CONTEXT = build_context(IAN)


@pytest.mark.parametrize(
    ("availability", "instances", "whole"),
    [
        (("ONLINE", "NEARLINE"), 2, True),
        (("ONLINE", "OFFLINE", "UNAVAILABLE"), 1, False),
        (("ONLINE",) * 1500, 1500, True),
    ],
    ids=["all", "some", "many"],
)
def test_a_notice_is_kept_with_what_is_available(availability: tuple[str, ...], instances: int, whole: bool) -> None:
    with keeping() as kept, scu(kept.listener.port, CONTEXT, ae_title="PACS_WEST1") as pacs:
        status, _ = pacs.send_n_create(notice(*availability), IAN, STEP)
    assert status.Status == 0
    assert kept.notices == [AvailabilityNotice("PACS_WEST1", STEP, STUDY, instances, whole)]


def test_a_notice_without_a_uid_gets_one() -> None:
    with keeping() as kept, kept.listener.raw() as peer:
        peer.associate(TAKE_NOTICE.context())
        assert TAKE_NOTICE.ask(peer, encoded(notice("ONLINE")), instance="") == 0
    assert kept.notices[0].notice_uid.startswith("2.25.")


def test_a_notice_that_is_not_kept_is_no_success() -> None:
    def fail(_: AvailabilityNotice) -> None:
        raise ConnectionError

    with keeping(announced=fail) as kept, scu(kept.listener.port, CONTEXT) as pacs:
        assert pacs.send_n_create(notice("ONLINE"), IAN, STEP)[0].Status == Status.PROCESSING_FAILURE


@pytest.mark.parametrize(
    ("attributes", "status"),
    [
        (notice("SOMEWHERE"), Status.INVALID_ATTRIBUTE_VALUE),
        (notice(""), Status.MISSING_ATTRIBUTE),
        (notice(), Status.MISSING_ATTRIBUTE),
        (with_values(StudyInstanceUID=STUDY), Status.MISSING_ATTRIBUTE),
        (with_values(PatientID="P1"), Status.INVALID_ATTRIBUTE_VALUE),
    ],
    ids=["unknown term", "no term", "no objects", "no series", "no study"],
)
def test_a_notice_must_name_its_study_and_objects(attributes: Dataset, status: Status) -> None:
    with keeping() as kept, kept.listener.raw() as peer:
        peer.associate(TAKE_NOTICE.context())
        assert TAKE_NOTICE.ask(peer, encoded(attributes)) == status
    assert kept.notices == []
