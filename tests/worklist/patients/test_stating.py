"""What counts of a person: the newest word of the home RIS, column by column, and headers where it said nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from tests.worklist.arrivals import PATIENT
from worklist.intake.study import PatientAsSent
from worklist.patients.stating import Record, columns_of, differing, pack, stated_in, together, unpack, what_counts

NINE = datetime(2026, 6, 10, 9, tzinfo=UTC)
BORN = {"PatientBirthDate": "1980-06-11"}


def stated(minute: int, message: str = "M1", **values: Any) -> dict[str, Any]:
    return stated_in(PatientAsSent(**values), NINE + timedelta(minutes=minute), message)


def merged(minute: int) -> datetime:
    return NINE + timedelta(minutes=minute)


def test_a_newer_message_wins_column_by_column_and_what_it_does_not_say_stays() -> None:
    older, newer = stated(0, family_name="Old", sex="F"), stated(5, family_name="New")
    for known in (together(older, newer), together(newer, older)):
        assert {column: one.value for column, one in known.items()} == {"family_name": "New", "sex": "F"}


def test_of_messages_of_one_instant_the_one_with_the_higher_number_counts() -> None:
    one, other = stated(0, "MSG9", sex="F"), stated(0, "MSG10", sex="M")
    assert together(one, other) == together(other, one) == other


def test_what_the_ris_states_outranks_headers_and_takes_the_whole_name() -> None:
    columns = columns_of(stated(0, family_name="Yew"), [{"PatientName": "Elm^Una", "PatientSex": "F"}])
    assert (columns["family_name"], columns["given_name"], columns["name_key"], columns["sex"]) == (
        "Yew",
        None,
        "YEW^",
        "F",
    )
    assert columns["stated_by_ris"] == ["family_name"]


def test_an_nhs_number_is_verified_only_by_a_status_sent_with_that_number() -> None:
    verified = stated(0, nhs_number="9990000018", nhs_number_trace="01")
    assert columns_of(verified, [])["nhs_number_status"] == "verified"
    same = together(verified, stated(5, nhs_number="9990000018"))
    assert columns_of(same, [])["nhs_number_status"] == "verified"
    other = columns_of(together(verified, stated(5, nhs_number="9990000026")), [])
    assert (other["nhs_number_status"], other["nhs_number_trace"]) == ("present-untraced", None)
    wrong = columns_of(stated(0, nhs_number="9990000019", nhs_number_trace="01"), [])
    assert wrong["nhs_number_status"] == "invalid"
    conflict = columns_of(stated(0, nhs_number="9990000018", nhs_number_trace="05"), [])
    assert (conflict["nhs_number_status"], conflict["nhs_number_trace"]) == ("present-untraced", "05")


def test_the_survivor_keeps_its_own_and_takes_over_only_what_it_lacks() -> None:
    survivor = Record(None, stated(0, birth_date=date(1980, 6, 11)), [])
    retired = Record(merged(10), stated(5, birth_date=date(1990, 1, 1), sex="F"), [])
    shown, old = what_counts(survivor, [retired])
    assert (shown["birth_date"], shown["sex"]) == (date(1980, 6, 11), "F")
    assert differing(old, shown) == ["birth_date"]


def test_what_is_said_under_a_retired_identifier_after_the_merge_is_said_of_the_survivor() -> None:
    survivor = Record(None, stated(10, birth_date=date(1980, 6, 11)), [])
    retired = Record(merged(10), stated(15, birth_date=date(1990, 1, 1)), [])
    assert what_counts(survivor, [retired])[0]["birth_date"] == date(1990, 1, 1)


def test_what_is_said_of_the_survivor_after_the_merge_settles_the_retired_record_and_the_merge_itself_does_not() -> (
    None
):
    retired = Record(merged(10), stated(5, birth_date=date(1990, 1, 1)), [])
    by_merge = what_counts(Record(None, stated(10, birth_date=date(1980, 6, 11)), []), [retired])
    assert differing(by_merge[1], by_merge[0]) == ["birth_date"]
    later = what_counts(Record(None, stated(11, birth_date=date(1980, 6, 11)), []), [retired])
    assert differing(later[1], later[0]) == []


def test_headers_of_all_studies_of_a_person_count_for_the_survivor() -> None:
    survivor, retired = Record(None, {}, []), Record(merged(0), {}, [BORN])
    assert [one["birth_date"] for one in what_counts(survivor, [retired])] == [date(1980, 6, 11)] * 2


def test_what_was_stated_comes_back_from_json_as_it_was() -> None:
    known = stated_in(replace(PATIENT, nhs_number_trace="01"), NINE, "M1")
    assert unpack(pack(known)) == known
