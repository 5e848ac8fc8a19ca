"""What messages on patients say, after the structures of HL7 v2.4 and v2.5.1: A08, A31, A40, A47, A37."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from hl7_listener.dialect import DialectNotValid, read_dialect
from hl7_listener.fault import Condition, MessageFault
from hl7_listener.header import read_header
from hl7_listener.patients import read_merges, read_unlink, read_update
from tests.hl7_listener.ris_peer import PID, adt
from worklist.intake.study import PatientAsSent
from worklist.patients.merging import Kind

RECEIVED_AT = datetime(2026, 6, 10, 9, 30, tzinfo=UTC)
OTHER = "PID|1||H200^^^RXA^PI||Test^Tilda||19800611|F"
MRG = "MRG|H100^^^RXA^PI~999 000 0018^^^NHS^NH"


def read(what: Callable[..., Any], message: str, **dialect: Any) -> Any:
    octets = message.encode("latin_1")
    return what(octets, read_header(octets), "RXA", read_dialect(dialect), RECEIVED_AT)


def fault_of(what: Callable[..., Any], message: str, **dialect: Any) -> tuple[str, Condition]:
    with pytest.raises(MessageFault) as caught:
        read(what, message, **dialect)
    assert "H100" not in str(caught.value)
    assert "999" not in str(caught.value)
    return caught.value.place, caught.value.condition


@pytest.mark.parametrize("event", ["A08^ADT_A01", "A31^ADT_A05"])
def test_an_update_states_who_the_patient_is(event: str) -> None:
    found = read(read_update, adt(event, PID, "PV1|1|I|WARD4"))
    assert found.patient == PatientAsSent("H100", "RXA", "9990000018", "Test", "Tilda", date(1980, 6, 11), "F")
    assert (found.message.trust, found.message.facility, found.faults) == ("RXA", "RIS_A", ())


def test_what_cannot_be_read_of_an_update_is_named_and_the_rest_is_taken() -> None:
    found = read(read_update, adt("A08", "PID|1||H100^^^RXA^PI||Test^Tilda||19801341|F"))
    assert found.faults == (("PID-7", "is not a date"),)
    assert (found.patient.birth_date, found.patient.sex) == (None, "F")


@pytest.mark.parametrize(
    ("pid_32", "dialect", "trace"),
    [
        ("", {}, None),
        ("01", {}, "01"),
        ("NSTS05", {}, "05"),
        ("AL", {}, None),  # HL7 table 0445: an alias is no trace
        ("V", {"nhs_number_statuses": {"V": "01"}}, "01"),
        ("01", {"nhs_number_status_fields": []}, None),
    ],
)
def test_the_status_of_an_nhs_number_is_what_is_sent(pid_32: str, dialect: dict[str, Any], trace: str | None) -> None:
    pid = f"{PID}{'|' * 24}{pid_32}"
    assert read(read_update, adt("A08", pid), **dialect).patient.nhs_number_trace == trace


def test_a_status_without_a_number_says_nothing_and_one_that_does_not_exist_is_no_dialect() -> None:
    assert read(read_update, adt("A08", f"{OTHER}{'|' * 24}01")).patient.nhs_number_trace is None
    with pytest.raises(DialectNotValid):
        read_dialect({"nhs_number_statuses": {"V": "09"}})


@pytest.mark.parametrize(
    ("evn_2", "made_at"),
    [
        ("20260610095930", datetime(2026, 6, 10, 8, 59, 30, tzinfo=UTC)),
        ("20260610085930+0000", datetime(2026, 6, 10, 8, 59, 30, tzinfo=UTC)),
        ("202606100959", datetime(2026, 6, 10, 9, 0, tzinfo=UTC)),  # no finer than MSH-7
        ("20260610100001", datetime(2026, 6, 10, 9, 0, tzinfo=UTC)),  # later than the message itself
        ("yesterday", datetime(2026, 6, 10, 9, 0, tzinfo=UTC)),
        ("", datetime(2026, 6, 10, 9, 0, tzinfo=UTC)),
    ],
)
def test_a_message_is_as_old_as_what_it_tells(evn_2: str, made_at: datetime) -> None:
    assert read(read_update, adt("A08", PID, evn_2=evn_2)).message.made_at == made_at


def test_a_merge_names_who_survives_and_what_is_retired() -> None:
    [merge], updates = read(read_merges, adt("A40^ADT_A39", OTHER, MRG))
    assert (merge.kind, merge.retired, updates) == (Kind.MERGE, (("RXA", "H100"),), [])
    assert (merge.surviving.identifier, merge.surviving.birth_date) == ("H200", date(1980, 6, 11))


def test_a_merge_message_may_hold_several_and_several_identifiers_of_one() -> None:
    mrg = "MRG|H100^^^RXA^PI~H101^^^RXA^PI~H200^^^RXA^PI"
    more = ("PID|2||H400^^^RXA^PI", "PD1|", "MRG|H300^^^RXA^PI")
    merges, _ = read(read_merges, adt("A40", OTHER, "PD1|", mrg, *more))
    assert [(one.surviving.identifier, one.retired) for one in merges] == [
        ("H200", (("RXA", "H100"), ("RXA", "H101"))),
        ("H400", (("RXA", "H300"),)),
    ]


def test_the_issuer_of_the_dialect_stands_for_both_patients() -> None:
    [merge], _ = read(read_merges, adt("A40", OTHER, "MRG|H100"), patient_issuer="X")
    assert (merge.surviving.issuer, merge.retired) == ("X", (("X", "H100"),))


@pytest.mark.parametrize(
    ("segments", "place", "condition"),
    [
        ((OTHER,), "MRG", Condition.SEGMENT_SEQUENCE_ERROR),
        ((OTHER, "MRG|"), "MRG-1", Condition.REQUIRED_FIELD_MISSING),
        ((OTHER, "MRG|9990000018^^^NHS^NH"), "MRG-1", Condition.UNKNOWN_KEY_IDENTIFIER),
        (("PID|1||9990000018^^^NHS^NH", MRG), "PID-3", Condition.UNKNOWN_KEY_IDENTIFIER),
        (("PID|1||9990000018^^^NHS^NH", "MRG|9990000026^^^NHS^NH"), "PID-3", Condition.UNKNOWN_KEY_IDENTIFIER),
        (("PID|1|", MRG), "PID-3", Condition.REQUIRED_FIELD_MISSING),
        ((PID, MRG), "MRG-1", Condition.DUPLICATE_KEY_IDENTIFIER),
        ((MRG,), "PID", Condition.SEGMENT_SEQUENCE_ERROR),
    ],
)
def test_a_merge_that_does_not_name_two_patients_by_local_identifiers_is_refused(
    segments: tuple[str, ...], place: str, condition: Condition
) -> None:
    assert fault_of(read_merges, adt("A40", *segments)) == (place, condition)


def test_a_change_of_identifiers_retires_the_old_one() -> None:
    [change], updates = read(read_merges, adt("A47^ADT_A30", OTHER, MRG))
    assert (change.kind, change.retired, updates) == (Kind.CHANGE, (("RXA", "H100"),), [])


@pytest.mark.parametrize("mrg", ["MRG|9990000026^^^NHS^NH", "MRG|H200^^^RXA^PI~9990000026^^^NHS^NH"])
def test_a_change_of_the_nhs_number_alone_is_an_update(mrg: str) -> None:
    pid = "PID|1||H200^^^RXA^PI~9990000018^^^NHS^NH||Test^Tilda"
    changes, [update] = read(read_merges, adt("A47", pid, mrg))
    assert (changes, update.patient.nhs_number) == ([], "9990000018")


def test_an_unlink_names_two_patients() -> None:
    found = read(read_unlink, adt("A37", PID, "PV1|1|O", OTHER))
    assert (found.one, found.other) == (("RXA", "H100"), ("RXA", "H200"))


@pytest.mark.parametrize(
    ("segments", "place"),
    [
        ((PID,), "PID"),
        ((PID, OTHER, OTHER), "PID"),
        ((PID, PID), "PID-3"),
        ((PID, "PID|2||9990000026^^^NHS^NH"), "PID-3"),
    ],
)
def test_an_unlink_of_anything_but_two_patients_is_refused(segments: tuple[str, ...], place: str) -> None:
    assert fault_of(read_unlink, adt("A37", *segments))[0] == place


def test_an_update_of_nobody_or_of_several_is_refused() -> None:
    assert fault_of(read_update, adt("A08", "PID|1|"))[0] == "PID-3"
    assert fault_of(read_update, adt("A08"))[0] == "PID"
    assert fault_of(read_update, adt("A08", PID, OTHER))[0] == "PID"
