"""What a result message says: final, preliminary or withdrawn, since when, and no word of the report."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from hl7_listener.dialect import read_dialect
from hl7_listener.fault import MessageFault
from hl7_listener.header import read_header
from hl7_listener.results import read_home_reports
from tests.hl7_listener.ris_peer import msh, result
from worklist.intake.home_reports import HomeReport, HomeReportStatus

RECEIVED_AT = datetime(2026, 6, 10, 10, 0, tzinfo=UTC)
FINAL, PRELIMINARY, WITHDRAWN = HomeReportStatus.FINAL, HomeReportStatus.PRELIMINARY, HomeReportStatus.WITHDRAWN


def read(message: str, **dialect: Any) -> list[HomeReport]:
    octets = message.encode()
    return read_home_reports(octets, read_header(octets), "RXA", read_dialect(dialect), RECEIVED_AT)


@pytest.mark.parametrize(("word", "status"), [("F", FINAL), ("C", FINAL), ("P", PRELIMINARY), ("X", WITHDRAWN)])
def test_the_status_of_the_result_says_how_a_report_stands(word: str, status: HomeReportStatus) -> None:
    assert read(result(word))[0].status is status


def test_a_report_stands_since_the_time_that_the_result_states_with_its_zone_and_field() -> None:
    [one] = read(result(minute=30))
    assert one.reported_at is not None
    assert (one.reported_at.at, one.reported_at.zone, one.reported_at.source) == (
        datetime(2026, 6, 10, 9, 30, tzinfo=UTC),
        "Europe/London",
        "OBR-22",
    )


def test_where_the_result_has_no_status_its_observations_and_then_its_order_say_it() -> None:
    empty = result("")
    assert read(empty.replace("ORC|RE||000123", "ORC|RE||000123||CM"))[0].status is FINAL
    assert read(empty + "F")[0].status is FINAL
    assert read(empty + "F\rOBX|2|TX|XCHES||more||||||P")[0].status is PRELIMINARY


def test_a_result_without_any_status_is_refused_by_the_name_of_its_field() -> None:
    with pytest.raises(MessageFault) as caught:
        read(result(""))
    assert caught.value.place == "OBR-25"


def test_a_status_that_nobody_knows_is_not_taken_for_final() -> None:
    with pytest.raises(MessageFault) as caught:
        read(result("Q"))
    assert caught.value.place == "OBR-25"
    assert read(result("Q"), report_statuses={"q": "final"})[0].status is FINAL


def test_an_accession_with_several_results_is_final_when_all_are_and_since_the_last() -> None:
    second = "OBR|2|P78|REP2|XHANL^XR Hand Lt^NICIP||||||||||||||||||202606101045|||F"
    [one] = read(f"{result()}\r{second}")
    assert (one.status, one.reported_at.at if one.reported_at else None) == (
        FINAL,
        datetime(2026, 6, 10, 9, 45, tzinfo=UTC),
    )
    assert read(f"{result()}\r{second[:-1]}P")[0].status is PRELIMINARY


def test_a_result_of_nothing_is_refused() -> None:
    with pytest.raises(MessageFault, match="OBR"):
        read(msh("ORU^R01"))


def test_the_words_of_a_report_are_not_looked_into_however_many_there_are() -> None:
    long = result().replace("The lungs are clear.", "x" * 900_000)
    assert read(long) == read(long.replace("x" * 900_000, "y"))


def test_a_result_of_a_real_ris_states_the_end_of_the_examination_beside_the_technician_alone() -> None:
    assert read(result())[0].exam_ended is None
    [one] = read(result().replace("|||F\r", "|||F" + "|" * 9 + "RAD1^202606100926^202606100936\r"))
    assert one.exam_ended is not None
    assert (one.exam_ended.at, one.exam_ended.source) == (datetime(2026, 6, 10, 8, 36, tzinfo=UTC), "OBR-34.3")
