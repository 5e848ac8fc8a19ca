"""What an order message says, field by field, in the default dialect and in others."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from hl7_listener.dialect import DialectNotValid, read_dialect
from hl7_listener.fault import MessageFault
from hl7_listener.header import read_header
from hl7_listener.orders import read_orders
from tests.hl7_listener.ris_peer import PID, msh, order
from worklist.home.reading import HomeReading
from worklist.intake.orders import Order, OrderControl
from worklist.intake.study import Code, PatientAsSent
from worklist.turnaround.targets import Setting, Urgency

RECEIVED_AT = datetime(2026, 6, 10, 9, 0, tzinfo=UTC)


def read(message: str | bytes, *, received_at: datetime = RECEIVED_AT, **dialect: Any) -> list[Order]:
    octets = message if isinstance(message, bytes) else message.encode("latin_1")
    found = read_orders(octets, read_header(octets), "RXA", read_dialect(dialect), received_at)
    return [one for one in found if isinstance(one, Order)]


def read_readings(message: str, **dialect: Any) -> list[tuple[str, bool]]:
    octets = message.encode()
    found = read_orders(octets, read_header(octets), "RXA", read_dialect(dialect), RECEIVED_AT)
    return [(one.accession_number, one.being_read) for one in found if isinstance(one, HomeReading)]


def fault_of(message: str | bytes, **dialect: Any) -> MessageFault:
    with pytest.raises(MessageFault) as caught:
        read(message, **dialect)
    return caught.value


def test_an_order_says_who_what_where_and_how_soon() -> None:
    [one] = read(order(orc_7="^^^^^S", obr="OBR|1|P77||XCHES^XR Chest^NICIP" + "|" * 27 + "^? pneumonia"))
    assert one.accession_number == "000123"
    assert one.control is OrderControl.NEW
    assert one.placer_order_number == "P77"
    assert one.exams == (Code("XCHES", "NICIP", "XR Chest"),)
    assert (one.setting, one.urgency) == (Setting.INPATIENT, Urgency.EMERGENCY)
    assert one.clinical_question == "? pneumonia"
    assert one.patient == PatientAsSent("H100", "RXA", "9990000018", "Test", "Tilda", date(1980, 6, 11), "F")
    assert one.message.made_at == datetime(2026, 6, 10, 9, 0, tzinfo=UTC)  # ten o'clock in London's summer
    assert (one.message.facility, one.message.trust) == ("RIS_A", "RXA")
    assert one.faults == ()


@pytest.mark.parametrize(
    ("patient_class", "setting"),
    [("E", Setting.EMERGENCY), ("I", Setting.INPATIENT), ("O", Setting.OUTPATIENT), ("U", None), ("", None)],
)
def test_the_patient_class_gives_the_setting_and_an_open_one_gives_none(
    patient_class: str, setting: Setting | None
) -> None:
    assert read(order(pv1=f"PV1|1|{patient_class}|WARD4"))[0].setting is setting


def test_an_unknown_priority_is_no_urgency_and_of_two_the_more_urgent_counts() -> None:
    assert read(order(orc_7="^^^^^ZZ"))[0].urgency is None
    obr = "OBR|1|P77||XCHES" + "|" * 23 + "^^^^^S"
    assert read(order(orc_7="^^^^^R", obr=obr))[0].urgency is Urgency.EMERGENCY


def test_an_imaging_order_message_gives_its_accession_and_timing_in_its_own_segments() -> None:
    message = order(kind="OMI^O23", accession="F1", more="TQ1|1||||||||A\rIPC|000123|RP1|2.25.1|SPS1")
    [one] = read(message)
    assert (one.accession_number, one.urgency) == ("000123", Urgency.URGENT)


def test_several_orders_of_one_accession_are_its_exams() -> None:
    [one] = read(order(more="ORC|NW|P78|000123\rOBR|2|P78||XHANL^XR Hand Lt^NICIP"))
    assert [exam.value for exam in one.exams] == ["XCHES", "XHANL"]


@pytest.mark.parametrize("whole", [False, True])
def test_what_one_of_several_exams_alone_says_is_said_of_the_accession(*, whole: bool) -> None:
    other = ["OBR", "2", "P78", "", "XHANL^XR Hand Lt^NICIP", *[""] * 27]
    other[16], other[31] = "^Marsh^Jo", "^? fracture"
    chest = ["OBR", "1", "P77", "", "XCHES^XR Chest^NICIP", *[""] * 27]
    cleared = [*chest[:16], '""', *chest[17:31], '""']
    for obr in (chest, cleared):
        more = f"ORC|NW|P78|000123\r{'|'.join(other)}"
        [one] = read(order(obr="|".join(obr), more=more), orders_are_whole=whole)
        assert (one.clinical_question, one.requester) == ("? fracture", "Jo Marsh")
        assert not one.cleared & {"clinical_question", "requester"}


@pytest.mark.parametrize(
    ("name", "cleared"),
    [
        ('""', {"family_name", "given_name"}),
        ('""^', {"family_name", "given_name"}),  # an empty component at the end may be left out or written
        (' "" ^^ ', {"family_name", "given_name"}),
        ('""^Jo', {"family_name"}),
        ('Marsh^""', {"given_name"}),
        ('^""', {"given_name"}),
    ],
)
def test_a_field_that_is_cleared_is_so_in_all_its_components(name: str, cleared: set[str]) -> None:
    [one] = read(order(pid=f"PID|1||H100^^^RXA^PI||{name}"))
    assert one.patient.cleared == cleared


def test_orders_of_several_accessions_come_apart() -> None:
    found = read(order(accession="B2", more="ORC|CA|P78|A1\rOBR|2|P78||XHANL^XR Hand Lt^NICIP"))
    assert [(one.accession_number, one.control) for one in found] == [
        ("A1", OrderControl.CANCEL),
        ("B2", OrderControl.NEW),
    ]


def test_an_accession_is_cancelled_only_when_all_its_exams_are() -> None:
    more = "ORC|CA|P78|000123\rOBR|2|P78||XHANL^XR Hand Lt^NICIP"
    [partly] = read(order("XO", more=more))
    assert (partly.control, [exam.value for exam in partly.exams]) == (OrderControl.CHANGE, ["XCHES"])
    assert read(order("CA", more=more))[0].control is OrderControl.CANCEL


def test_a_dialect_says_where_things_stand_and_what_words_mean() -> None:
    message = order(
        accession="", pv1="PV1|1|O|ITU^bed 4", orc_7="^^^^^2WW", obr="OBR|1|P77||^^^XHANL^Hand^L" + "|" * 14 + "A9"
    ).replace("ORC|NW", "ORC|SN")
    [one] = read(
        message,
        accession_fields=["OBR-18"],
        exam_fields=["OBR-4.4"],
        settings={"PV1-3": {"itu": "critical_care"}},
        urgencies={"2ww": "suspected_cancer"},
        controls={"SN": "new"},
        patient_issuer="ALDER",
    )
    assert (one.accession_number, one.control) == ("A9", OrderControl.NEW)
    assert one.exams == (Code("XHANL", "L", "Hand"),)
    assert (one.setting, one.urgency) == (Setting.CRITICAL_CARE, Urgency.SUSPECTED_CANCER)
    assert one.patient.issuer == "ALDER"


def test_a_dialect_can_take_a_word_out() -> None:
    assert read(order(), settings={"PV1-2": {"I": None}})[0].setting is None


@pytest.mark.parametrize(
    "dialect",
    [
        {"acession_fields": ["ORC-3"]},
        {"accession_fields": ["ORC.3"]},
        {"settings": {"PV1-2": {"X": "nowhere"}}},
        {"character_set": "EBCDIC"},
    ],
)
def test_a_dialect_that_is_not_understood_is_refused(dialect: dict[str, Any]) -> None:
    with pytest.raises(DialectNotValid, match=next(iter(dialect))):
        read_dialect(dialect)


@pytest.mark.parametrize(
    ("message", "place"),
    [
        (order(accession=""), "ORC-3"),
        (order(""), "ORC-1"),
        (order("ZZ"), "ORC-1"),
        (order(accession="9" * 201), "ORC-3"),
        (order(accession="A\\X0Q\\1"), "ORC-3"),
        (order(more=PID), "PID"),
        (order(msh_18="EBCDIC"), "MSH-18"),
        (order(minute=0).replace("|202606101000|", "||"), "MSH-7"),
        (order(minute=0).replace("|202606101000|", "|20260610|"), "MSH-7"),
        (order().replace("\r", "\rZZZ\x00|\r", 1), "MSH"),
        (msh("ORM^O01"), "ORC"),
        (msh("ORM^O01", control_id="") + order()[order().index("\r") :], "MSH-10"),
        (order(more="ORC|" + "&" * 70000), "MSH"),
        (order(more="ORC|NW|1|1\r" * 101), "ORC"),
    ],
)
def test_what_is_wrong_is_named_by_its_field_and_never_by_its_value(message: str, place: str) -> None:
    fault = fault_of(message)
    assert fault.place == place
    assert "999" not in str(fault)


def test_the_character_set_is_the_declared_one_else_the_dialects() -> None:
    pid = PID.replace("Tilda", "Zoë")
    assert read(order(pid=pid))[0].patient.given_name == "Zoë"
    assert read(order(pid=pid, msh_18="UNICODE UTF-8").encode())[0].patient.given_name == "Zoë"
    assert read(order(pid=pid).encode(), character_set="UTF-8")[0].patient.given_name == "Zoë"
    assert fault_of(order(pid=pid, msh_18="UNICODE UTF-8")).place == "MSH-18"
    assert fault_of(order(pid=pid, msh_18="ASCII")).place == "MSH-18"


def test_escape_sequences_are_read_and_unknown_ones_leave_a_space() -> None:
    pid = PID.replace("Test^Tilda", "A\\T\\B\\X2D\\C^\\Zfoo\\D\\E\\")
    patient = read(order(pid=pid))[0].patient
    assert (patient.family_name, patient.given_name) == ("A&B-C", "D\\")


def test_line_ends_of_other_systems_and_other_separators_are_read() -> None:
    assert read(order().replace("\r", "\r\n"))[0].accession_number == "000123"
    assert read(order().replace("|", "$").replace("^", "!"))[0].exams[0].meaning == "XR Chest"


@pytest.mark.parametrize(
    ("pid", "identifier", "issuer", "nhs_number"),
    [
        ("PID|1||999 000 0018^^^NHS^NH", "9990000018", "NHS", "9990000018"),
        ("PID|1||A1^^^X^OTHER~B2^^^Y^MR", "B2", "Y", None),
        ("PID|1||A1", "A1", None, None),
        ("PID|1||A1~9990000018^^^NHS~9990000026^^^NHS", "A1", None, None),
        ("PID|1", None, None, None),
    ],
)
def test_the_local_identifier_and_the_nhs_number_are_told_apart(
    pid: str, identifier: str | None, issuer: str | None, nhs_number: str | None
) -> None:
    patient = read(order(pid=pid))[0].patient
    assert (patient.identifier, patient.issuer, patient.nhs_number) == (identifier, issuer, nhs_number)


def test_a_birth_date_that_is_none_is_left_out_and_named() -> None:
    [one] = read(order(pid=PID.replace("19800611", "19801399")))
    assert one.patient.birth_date is None
    assert one.faults == (("PID-7", "is not a date"),)


@pytest.mark.parametrize(
    ("made", "received_at", "instant"),
    [
        ("202606101000+0000", RECEIVED_AT, datetime(2026, 6, 10, 10, 0, tzinfo=UTC)),
        ("20260110100000.123", RECEIVED_AT, datetime(2026, 1, 10, 10, 0, tzinfo=UTC)),
        # Autumn's repeated hour: which pass it is follows from when the message came.
        (
            "20261025013000",
            datetime(2026, 10, 25, 0, 31, tzinfo=UTC),
            datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        ),
        (
            "20261025013000",
            datetime(2026, 10, 25, 1, 31, tzinfo=UTC),
            datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
        ),
    ],
)
def test_the_time_of_a_message_is_right_with_a_zone_and_across_clock_changes(
    made: str, received_at: datetime, instant: datetime
) -> None:
    message = order().replace("|202606101000|", f"|{made}|")
    assert read(message, received_at=received_at)[0].message.made_at == instant


def test_two_readings_of_one_message_are_equal() -> None:
    message = order()
    assert read(message) == read(message)
    assert read(message) != [replace(one, accession_number="x") for one in read(message)]


def test_the_end_of_the_examination_is_taken_from_the_first_field_that_states_a_time() -> None:
    both = "OBR|1|P77||XCHES|||202606100905|202606100920" + "|" * 26 + "T1^202606100900^202606100930"
    ends = [read(order(obr=both, minute=50))[0].exam_ended]
    ends.append(read(order(obr=both.replace("202606100920", ""), minute=50))[0].exam_ended)
    ends.append(read(order(obr=both.replace("|202606100905|202606100920", "||"), minute=50))[0].exam_ended)
    assert [(one.source, one.at.hour, one.at.minute) for one in ends if one] == [
        ("OBR-8", 8, 20),
        ("OBR-7", 8, 5),
        ("OBR-34.3", 8, 30),
    ]


def test_a_day_alone_is_no_end_and_a_time_after_the_message_is_a_plan() -> None:
    assert read(order(obr="OBR|1|P77||XCHES|||20260610"))[0].exam_ended is None
    assert read(order(obr="OBR|1|P77||XCHES|||202606101006"))[0].exam_ended is None
    within_skew = read(order(obr="OBR|1|P77||XCHES|||202606101005"))[0].exam_ended
    assert within_skew is not None


def test_an_end_in_the_repeated_hour_of_autumn_keeps_what_was_sent_its_zone_and_its_pass() -> None:
    message = order(obr="OBR|1|P77||XCHES||||{}").replace("20260610", "20261026")
    received_at = datetime(2026, 10, 26, 10, 0, tzinfo=UTC)
    plain = read(message.format("20261025013000"), received_at=received_at)[0].exam_ended
    exact = read(message.format("20261025013000+0000"), received_at=received_at)[0].exam_ended
    assert plain is not None
    assert exact is not None
    assert (plain.at, plain.zone, plain.fold) == (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "Europe/London", 0)
    assert (exact.at, exact.zone, exact.fold) == (datetime(2026, 10, 25, 1, 30, tzinfo=UTC), "+0000", 1)
    assert exact.as_sent == "20261025013000+0000"


def test_the_examination_of_an_accession_ends_with_its_last_exam_that_stands() -> None:
    more = "ORC|NW|P78|000123\rOBR|2|P78||XHANL^XR Hand Lt^NICIP||||202606100940"
    [one] = read(order(obr="OBR|1|P77||XCHES||||202606100920", more=more, minute=50))
    assert one.exam_ended is not None
    assert one.exam_ended.as_sent == "202606100940"
    [one] = read(order(obr="OBR|1|P77||XCHES||||202606100920", more=more.replace("NW", "CA"), minute=50))
    assert one.exam_ended is not None
    assert one.exam_ended.as_sent == "202606100920"


def test_a_dialect_says_where_the_end_of_the_examination_stands() -> None:
    message = order(obr="OBR|1|P77||XCHES||||202606100920", more="ZEX|202606100930", minute=50)
    [one] = read(message, exam_ended_fields=["ZEX-1"])
    assert one.exam_ended is not None
    assert (one.exam_ended.source, one.exam_ended.as_sent) == ("ZEX-1", "202606100930")


def test_who_asked_and_how_they_are_reached_is_read_from_the_order_and_else_from_the_request() -> None:
    obr = "OBR|1|P77||XCHES" + "|" * 12 + "G77^Ottershaw^Ann^^^Dr|01632 960001"
    [one] = read(order(obr=obr))
    assert (one.requester, one.call_back) == ("Ann Ottershaw", "01632 960001")
    message = order(obr=obr).replace(
        "ORC|NW|P77|000123||||", "ORC|NW|P77|000123||||" + "|" * 5 + "G12||^^^^^1632^960002"
    )
    [one] = read(message)
    assert (one.requester, one.call_back) == ("G12", "1632 960002")
    [one] = read(order())
    assert (one.requester, one.call_back, one.needed_by, one.referral_date) == (None, None, None, None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("202606121330", datetime(2026, 6, 12, 12, 30, tzinfo=UTC)),
        ("20260612", datetime(2026, 6, 11, 23, 0, tzinfo=UTC)),  # a day counts from its beginning in London
        ("202606121330+0000", datetime(2026, 6, 12, 13, 30, tzinfo=UTC)),
    ],
)
def test_when_the_report_is_needed_is_a_time_or_the_beginning_of_a_day(text: str, expected: datetime) -> None:
    [one] = read(order(orc_7=f"^^^202606101000^{text}^R"))
    assert one.needed_by is not None
    assert (one.needed_by.at, one.needed_by.as_sent, one.needed_by.source) == (expected, text, "ORC-7.5")


def test_what_is_no_time_is_named_and_the_time_of_the_examination_is_not_when_its_report_is_needed() -> None:
    [one] = read(order(orc_7="^^^202606101000^soon"))
    assert (one.needed_by, one.faults) == (None, (("ORC-7.5", "is not a date or a time"),))
    [one] = read(order(orc_7="^^^202606101000"))
    assert one.needed_by is None
    [one] = read(order(orc_7="^^^202606101000"), needed_by_fields=["ORC-7.4"])
    assert one.needed_by is not None


def test_the_referral_date_stands_where_the_dialect_says() -> None:
    [one] = read(order(more="ZRF|20260520"), referral_date_fields=["ZRF-1"])
    assert one.referral_date == date(2026, 5, 20)
    [one] = read(order(more="ZRF|May"), referral_date_fields=["ZRF-1"])
    assert (one.referral_date, one.faults) == (None, (("ZRF-1", "is not a date"),))


def test_of_several_exams_the_earliest_need_counts() -> None:
    more = "ORC|NW|P78|000123||||^^^^202606111000\rOBR|2|P78||XHANL^XR Hand Lt^NICIP"
    [one] = read(order(orc_7="^^^^202606121000", more=more))
    assert one.needed_by is not None
    assert one.needed_by.as_sent == "202606111000"


@pytest.mark.parametrize(
    ("word", "said"), [("IP", [True]), ("ip", [True]), ("SC", [False]), ("CM", [False]), ("ZZ", [])]
)
def test_a_change_of_status_may_say_that_somebody_reads_it_at_home(word: str, said: list[bool]) -> None:
    message = status_of("SC", word)
    assert read_readings(message) == [("000123", one) for one in said]
    assert read(message) == []


@pytest.mark.parametrize("words", [("IP", "SC"), ("SC", "IP")])
def test_of_several_exams_one_that_is_read_is_enough(words: tuple[str, str]) -> None:
    message = f"{status_of('SC', words[0])}\rORC|SC|P78|000123||{words[1]}\rOBR|2|P78||XHANL^XR Hand Lt^NICIP"
    assert read_readings(message) == [("000123", True)]


def test_the_words_of_a_change_of_status_are_the_dialect_s() -> None:
    message = status_of("SN", "OPEN")
    assert read_readings(message, status_controls=["sn"], reading_statuses={"open": True}) == [("000123", True)]


def status_of(control: str, word: str) -> str:
    return order(control).replace(f"ORC|{control}|P77|000123||", f"ORC|{control}|P77|000123||{word}")
