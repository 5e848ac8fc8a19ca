"""What the headers of one study say, merged: neither order nor repetition of the objects matters."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import received
from worklist.intake.facts import codes, facts_of, merge, merge_all
from worklist.intake.study import Code, ReceivedObject

_words = st.one_of(st.none(), st.sampled_from(["Ward 4", "GP", "045Y", "STAT", "XR Chest", ""]))
_few_codes = st.lists(
    st.builds(Code, st.sampled_from("123"), st.sampled_from(["L", "SCT"]), st.sampled_from(["a", ""])), max_size=3
)
#: More codes than are kept, from a moving window, so that what is kept depends on what else there is.
_many_codes = st.integers(0, 20).map(lambda first: [Code(str(number)) for number in range(first, first + 20)])
_codes = st.one_of(_few_codes, _many_codes).map(tuple)
_objects = st.builds(
    ReceivedObject,
    calling_ae_title=st.just("PACS"),
    sop_class_uid=st.just("1.2"),
    sop_instance_uid=st.just("1.2.3"),
    study_instance_uid=st.just("1.2.4"),
    series_instance_uid=st.just("1.2.5"),
    modality=st.sampled_from([None, "DX", "CT", "SR"]),
    requested_codes=_codes,
    performed_codes=_codes,
    study_description=_words,
    requesting_service=_words,
    institutional_department_name=_words,
    current_patient_location=_words,
    requested_procedure_priority=_words,
    patient_age=_words,
    study_date=st.one_of(st.none(), st.dates(date(2026, 1, 1), date(2026, 1, 30))),
)
_facts = _objects.map(facts_of)


@given(_facts, _facts)
def test_merging_does_not_depend_on_the_order(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert merge(one, other) == merge(other, one)


@given(_facts, _facts, _facts)
def test_merging_does_not_depend_on_what_is_merged_first(
    one: dict[str, Any], other: dict[str, Any], third: dict[str, Any]
) -> None:
    assert merge(merge(one, other), third) == merge(one, merge(other, third))


@given(_facts, _facts)
def test_the_same_object_again_changes_nothing(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert merge(one, one) == one == merge(one, {}) == merge({}, one)
    assert merge(merge(one, other), one) == merge(one, other)


@settings(max_examples=30)
@given(st.lists(_facts, max_size=4))
def test_facts_pass_through_the_database_unchanged(many: list[dict[str, Any]]) -> None:
    merged = merge_all(many)
    assert json.loads(json.dumps(merged)) == merged


@settings(max_examples=30)
@given(st.lists(_facts, max_size=4))
def test_no_fact_grows_without_bound_and_none_is_empty(many: list[dict[str, Any]]) -> None:
    assert all(1 <= len(values) <= 16 for values in merge_all(many).values())


def test_codes_come_out_as_they_went_in() -> None:
    one = replace(received(), requested_codes=(Code("XCHES", "L", "XR Chest"), Code("CHEAD", "L", "CT Head")))
    assert codes(facts_of(one), "requested") == (Code("CHEAD", "L", "CT Head"), Code("XCHES", "L", "XR Chest"))
    assert codes(facts_of(one), "performed") == ()


def test_a_report_object_says_nothing_of_the_images() -> None:
    assert "modality" not in facts_of(received(modality="SR"))


def test_names_numbers_and_birth_dates_never_enter() -> None:
    told = json.dumps(facts_of(received(accession="ACC-1")))
    assert not any(word in told for word in ("Rowan", "Sam", "P-Rowan", "1970", "ACC-1"))
