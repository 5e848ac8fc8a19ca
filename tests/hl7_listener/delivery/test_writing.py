"""What a home RIS reads in our messages: by hand, and as an independent parser reads them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hl7apy.core import Message
from hl7apy.parser import parse_message, parse_segments
from hypothesis import given
from hypothesis import strategies as st

from hl7_listener.delivery.writing import Exam, Patient, Person, Telling, Words, write
from hl7_listener.dialect import read_dialect
from worklist.home.told import Notice
from worklist.reading import ReportStatus

MOMENT = datetime(2026, 6, 10, 10, 0, 5, tzinfo=UTC)
PATIENT = Patient("H100", "RXA", "9990000018", "Test", "Tilda", date(1980, 6, 11), "F")
PRELIMINARY, VERIFIED, ADDENDUM = ReportStatus.PRELIMINARY, ReportStatus.VERIFIED, ReportStatus.ADDENDUM


def telling(notice: Notice = Notice.REPORT, **changes: Any) -> Telling:
    stated: dict[str, Any] = {
        "notice": notice,
        "control_id": "c0ffee",
        "made_at": MOMENT,
        "facility": "RIS_A",
        "accession_number": "000123",
        "patient": PATIENT,
        "exams": (Exam("XCHES", "XR Chest", "NICIP"),),
        "placer_order_number": "P77",
        "exam_ended_at": datetime(2026, 1, 10, 9, 30, tzinfo=UTC),
        "reporter": Person("C1234567", "Dr Hart"),
        "status": VERIFIED,
        "stood_at": MOMENT,
        "report_id": 7,
        "words": (Words(VERIFIED, "Clear."),),
    }
    return Telling(**{**stated, **changes})


def written(one: Telling, **dialect: Any) -> bytes:
    stated = read_dialect(dialect)
    return write(one, stated.sent, stated.character_set)


def segments(one: Telling, **dialect: Any) -> list[str]:
    octets = written(one, **dialect)
    codec = "utf-8" if b"UNICODE UTF-8" in octets else "latin_1"
    return octets.decode(codec).removesuffix("\r").split("\r")


def test_a_verified_report_is_a_final_result_with_its_words() -> None:
    assert segments(telling()) == [
        "MSH|^~\\&|RADPOOL|RADPOOL||RIS_A|20260610110005+0100||ORU^R01|c0ffee|P|2.4||||||8859/1",
        "PID|1||H100^^^RXA^PI~9990000018^^^NHS^NH||Test^Tilda||19800611|F",
        "ORC|RE|P77|000123||CM",
        "OBR|1|P77|000123|XCHES^XR Chest^NICIP|||20260110093000+0000|||||||||||||||20260610110005+0100|||F"
        "|||||||C1234567&Dr Hart",
        "OBX|1|FT|XCHES^XR Chest^NICIP|1|Clear.||||||F|||20260610110005+0100||C1234567^Dr Hart",
    ]


def test_a_preliminary_report_is_marked_and_leaves_the_order_open() -> None:
    found = segments(telling(status=PRELIMINARY, words=(Words(PRELIMINARY, "Clear."),)))
    assert found[2] == "ORC|RE|P77|000123||IP"
    assert found[3].split("|")[25] == "P"
    assert found[4].split("|")[11] == "P"


def test_an_addendum_is_a_correction_that_comes_with_what_it_adds_to() -> None:
    found = segments(telling(status=ADDENDUM, words=(Words(VERIFIED, "Clear."), Words(ADDENDUM, "But small."))))
    assert found[3].split("|")[25] == "C"
    assert [one.split("|")[3] for one in found[4:]] == [
        "XCHES^XR Chest^NICIP",
        "XCHES^XR Chest^NICIP^ADT^Addendum^RADPOOL",
    ]
    assert [one.split("|")[11] for one in found[4:]] == ["F", "C"]


def test_who_wrote_what_was_checked_is_the_assistant() -> None:
    found = segments(telling(first_reporter=Person("T1", "Trainee")))
    assert found[3].split("|")[32:] == ["C1234567&Dr Hart", "T1&Trainee"]


def test_alerts_are_observations_of_their_own() -> None:
    found = segments(telling(alerts=("cancer",)))
    assert found[-1].split("|")[2:6] == ["CE", "ALERT^Alert^RADPOOL", "2", "cancer^cancer^RADPOOL"]


def test_a_material_change_is_told_in_words_with_the_report_and_where_the_words_are_at_home() -> None:
    with_words = segments(telling(alerts=("material-change",)))
    [request, alert] = segments(telling(Notice.REPORTED, words=(), alerts=("material-change",)))[3:]
    said = "material-change^Materially changed since the report that went out before^RADPOOL"
    assert with_words[-1].split("|")[2:6] == ["CE", "ALERT^Alert^RADPOOL", "2", said]
    assert (request.split("|")[25], alert.split("|")[5], alert.split("|")[11]) == ("F", said, "F")


def test_the_second_exam_of_an_accession_refers_to_the_words_of_the_first() -> None:
    exams = (Exam("CHEAD", "CT Head", "NICIP"), Exam("CNECK", "CT Neck", "NICIP"))
    found = segments(telling(exams=exams))
    assert [one.split("|")[0] for one in found] == ["MSH", "PID", "ORC", "OBR", "OBX", "OBR", "OBX"]
    assert [one.split("|")[5] for one in found if one.startswith("OBX")] == ["Clear.", "Reported with CT Head"]


@pytest.mark.parametrize(
    ("notice", "status"), [(Notice.LOCK_TAKEN, "IP"), (Notice.LOCK_RELEASED, "SC"), (Notice.REPORTED, "CM")]
)
def test_a_notice_is_a_change_of_the_order_s_status(notice: Notice, status: str) -> None:
    report = notice is Notice.REPORTED
    found = segments(telling(notice, words=(), status=VERIFIED if report else None, stood_at=None))
    assert found[2] == f"ORC|SC|P77|000123||{status}||||20260610110005+0100"
    assert found[3].split("|")[25] == ("F" if report else "")


def test_a_recall_says_that_the_report_is_wrong_and_opens_the_order_again() -> None:
    found = segments(telling(Notice.RECALLED, words=(), status=None, stood_at=None))
    assert (found[0].split("|")[8], found[2]) == ("ORU^R01", "ORC|RE|P77|000123||IP")
    assert found[3].split("|")[25] == "P"
    assert found[4].split("|")[5:12:6] == ["The report was recalled. An amended report follows.", "W"]


def test_a_report_in_place_of_a_recalled_one_is_a_correction() -> None:
    found = segments(telling(amends=True))
    assert (found[3].split("|")[25], found[4].split("|")[11]) == ("C", "C")


def test_a_dialect_has_its_own_words_and_lines() -> None:
    sent = {"version": "2.5.1", "value_type": "TX", "lock_taken": "LK", "report_id_in_obr_3": True, "facility": "NET"}
    found = segments(telling(words=(Words(VERIFIED, "One.\nTwo."),)), sent=sent)
    assert found[0].split("|")[3] == "NET"
    assert found[0].split("|")[11] == "2.5.1"
    assert found[3].split("|")[3] == "7"
    assert [one.split("|")[5] for one in found[4:]] == ["One.", "Two."]
    assert segments(telling(Notice.LOCK_TAKEN), sent=sent)[2].split("|")[5] == "LK"


def test_words_that_the_character_set_cannot_say_are_sent_in_unicode_and_the_header_says_so() -> None:
    octets = written(telling(words=(Words(VERIFIED, "5 µm"),)))
    assert (b"8859/1" in octets, "5 µm".encode("latin_1") in octets) == (True, True)
    octets = written(telling(words=(Words(VERIFIED, "≥ 5 mm"),)))
    assert (b"UNICODE UTF-8" in octets, "≥ 5 mm".encode() in octets) == (True, True)


def test_what_is_not_known_is_left_empty() -> None:
    found = segments(telling(patient=Patient(), exams=(), placer_order_number=None, reporter=None, exam_ended_at=None))
    assert found[1] == "PID|1"
    assert found[3].split("|")[:5] == ["OBR", "1", "", "000123", "^^"]


HOSTILE = st.text(st.characters(codec="utf-8"), max_size=40)


@given(family=HOSTILE, body=HOSTILE, accession=st.text(st.characters(codec="ascii"), min_size=1, max_size=16))
def test_no_value_can_break_out_of_its_field(family: str, body: str, accession: str) -> None:
    one = telling(
        patient=Patient("H1", "RXA", None, family, "Sam"), words=(Words(VERIFIED, body),), accession_number=accession
    )
    plain = segments(telling(patient=Patient("H1", "RXA", None, "F", "Sam")))
    assert [(found.split("|")[0], found.count("|")) for found in segments(one)] == [
        (found.split("|")[0], found.count("|")) for found in plain
    ]


EVERY = [
    telling(),
    telling(status=PRELIMINARY, words=(Words(PRELIMINARY, "First.\n\nSecond & ^last^ ~one|."),)),
    telling(status=ADDENDUM, words=(Words(VERIFIED, "Clear."), Words(ADDENDUM, "Not so."))),
    telling(
        exams=(Exam("CHEAD", "CT Head", "NICIP"), Exam("CNECK", "CT Neck", "NICIP")), alerts=("critical", "cancer")
    ),
    telling(Notice.LOCK_TAKEN, words=(), status=None, stood_at=None),
    telling(Notice.LOCK_RELEASED, words=(), status=None, stood_at=None, reporter=None),
    telling(Notice.REPORTED, words=()),
    telling(Notice.REPORTED, words=(), alerts=("material-change",)),
    telling(Notice.RECALLED, words=(), status=None, stood_at=None),
    telling(amends=True),
]


@pytest.mark.parametrize("version", ["2.4", "2.5", "2.5.1"])
@pytest.mark.parametrize("one", EVERY, ids=lambda one: f"{one.notice}-{one.status}")
def test_an_independent_parser_reads_the_same_fields(one: Telling, version: str) -> None:
    text = written(one, sent={"version": version}).decode()
    parsed = parse_message(text, find_groups=True)
    assert isinstance(parsed, Message)
    if one.notice in (Notice.REPORT, Notice.RECALLED):
        assert parsed.validate()
    else:  # hl7apy takes the choice of ORM^O01's detail segments (OBR, RQD, RXO...) for a sequence: each on its own
        on_their_own = parse_segments(text, version=version)
        assert len(on_their_own) >= 4
        assert all(segment.validate() for segment in on_their_own)
    assert (parsed.msh.msh_10.value, parsed.msh.version_id.value) == ("c0ffee", version)
    flat = parse_message(text, find_groups=False)
    assert flat.pid.pid_5.value == "Test^Tilda"
    assert flat.orc.orc_3.value == "000123"
    assert [obr.obr_4.obr_4_1.value for obr in flat.obr] == [exam.code for exam in one.exams]
    if one.notice is Notice.REPORT:
        assert len(flat.obx) == len(one.words) + len(one.alerts) + len(one.exams) - 1
        status = {"preliminary": "P", "verified": "F", "addendum": "C"}[str(one.status)]
        assert flat.obx[-1].obx_11.value == ("C" if one.amends else status)
