"""Headers for the journal's tests."""

from __future__ import annotations

from datetime import UTC, datetime

from dicom_listener.header.reader import ObjectHeader
from worklist.intake.study import Code, PatientAsSent, ReceivedObject
from worklist.local_time import LocalTime

ENDED = LocalTime("20260610090000", "Europe/London", 0, "AcquisitionTime", datetime(2026, 6, 10, 8, tzinfo=UTC))


def like(series: str = "2.25.1.1", **stated: object) -> ReceivedObject:
    return ReceivedObject(
        "PACS_A",
        "1.2.840.10008.5.1.4.1.1.2",
        f"{series}.1",
        "2.25.1",
        series,
        patient=PatientAsSent("P1", family_name="Probe", given_name="Ängla"),
        requested_codes=(Code("CHEAD", "NICIP", "CT Head"),),
        acquisition_ended=ENDED,
        header_faults=(("PatientAge", "does not have the form of its value representation"),),
        **stated,  # type: ignore[arg-type]
    )


def header(shared: ReceivedObject, number: int) -> ObjectHeader:
    return ObjectHeader(shared, f"{shared.series_instance_uid}.{number}", ENDED if number % 2 else None)
