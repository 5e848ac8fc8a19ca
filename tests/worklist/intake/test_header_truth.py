"""Which of several values counts does not depend on the order in which they came, and contradictions are named."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.builders import received
from worklist.intake.header_doubts import doubts_of_headers
from worklist.intake.header_truth import Statement, patient_of, settle, stated_by, vote
from worklist.intake.study import PatientAsSent

_values = st.dictionaries(
    st.sampled_from(["PatientID", "IssuerOfPatientID", "PatientName", "AccessionNumber", "StudyDate"]),
    st.sampled_from(["A", "B", "C^D"]),
)
_statements = st.lists(
    st.builds(
        Statement,
        series=st.integers(1, 3),
        source_ae_title=st.sampled_from(["PACS_A", "PACS_B"]),
        is_image=st.booleans(),
        modality=st.sampled_from([None, "CT", "PT"]),
        stated=_values,
        objects=st.integers(1, 4),
    ),
    min_size=1,
    max_size=6,
)


@given(_statements, st.randoms())
def test_what_counts_does_not_depend_on_the_order(statements: list[Statement], chance: Any) -> None:
    assert settle(chance.sample(statements, len(statements))) == settle(statements)


@given(_statements)
def test_two_headers_that_say_the_same_count_like_one_of_as_many_objects(statements: list[Statement]) -> None:
    first = statements[0]
    split = [*statements, replace(first, objects=first.objects + 1)]
    whole = [replace(first, objects=2 * first.objects + 1), *statements[1:]]
    assert settle(split) == settle(whole)


def test_the_value_that_most_images_state_counts() -> None:
    assert _settle(("A", 2), ("B", 3)).accession_number == "B"


def test_of_two_values_stated_alike_often_the_first_in_order_counts() -> None:
    assert _settle(("B", 2), ("A", 2)).accession_number == "A"


def test_images_outweigh_any_number_of_other_objects() -> None:
    assert _settle(("A", 1), ("B", 9), images=(True, False)).accession_number == "A"


def test_what_only_other_objects_state_counts_where_images_are_silent() -> None:
    assert _settle((None, 1), ("B", 9), images=(True, False)).accession_number == "B"


def test_a_value_that_some_objects_do_not_state_contradicts_nothing() -> None:
    truth = _settle((None, 5), ("A", 1))
    assert (truth.accession_number, truth.contradicted) == ("A", ())


def test_an_issuer_counts_only_of_the_number_that_counts() -> None:
    stated = [{"PatientID": "P"}, {"PatientID": "Q", "IssuerOfPatientID": "ELSEWHERE"}]
    truth = settle([_statement(stated[0], 2), _statement(stated[1], 1)])
    assert truth.patient_values == {"PatientID": "P"}


def test_names_that_differ_in_case_and_accents_alone_do_not_contradict_each_other() -> None:
    names = [_statement({"PatientName": name}) for name in ("Zoë^Ann", "ZOE^ANN")]
    assert settle(names).contradicted == ()


def test_two_modalities_contradict_each_other_within_a_series_and_not_between_series() -> None:
    ct, pt = _statement({}), replace(_statement({}), modality="PT")
    assert settle([ct, pt]).contradicted == (("Modality", 2),)
    between = settle([ct, replace(pt, series=2)])
    assert (between.contradicted, between.modalities) == ((), ("CT", "PT"))


def test_of_two_modalities_in_a_series_one_is_a_modality_of_the_study() -> None:
    ct, pt = _statement({}, 3), replace(_statement({}, 2), modality="PT")
    assert settle([pt, ct]).modalities == ("CT",)


def test_objects_that_are_no_images_add_no_modality() -> None:
    beside = replace(_statement({}), series=2, is_image=False, modality="SR")
    assert settle([_statement({}), beside]).modalities == ("CT",)


def test_a_patient_goes_in_and_comes_out_unchanged() -> None:
    sent = PatientAsSent("P1", "TEST", "9990000018", "Elm", None, date(1980, 1, 2), "F")
    assert patient_of(stated_by(replace(received(), patient=sent))) == sent


def test_of_a_patient_s_studies_each_has_one_voice() -> None:
    many, once = {"PatientName": "Elm^Ann"}, {"PatientName": "Oak^Ann"}
    assert vote([once, many, many]) == many


def test_an_offset_is_stated_only_where_it_was_sent() -> None:
    with_offset = received()
    assert with_offset.acquisition_ended is not None
    assumed = replace(with_offset, acquisition_ended=replace(with_offset.acquisition_ended, zone="Europe/London"))
    assert stated_by(with_offset)["TimezoneOffsetFromUTC"] == "+0000"
    assert "TimezoneOffsetFromUTC" not in stated_by(assumed)


@given(_statements)
def test_exceptions_name_keywords_and_never_values(statements: list[Statement]) -> None:
    truth = settle([replace(one, stated={k: f"Zephyrwood{v}" for k, v in one.stated.items()}) for one in statements])
    doubts = doubts_of_headers(truth, {}, has_accession=True, today=date(2026, 6, 10))
    assert "Zephyrwood" not in repr(doubts)


def test_an_image_of_no_known_modality_is_put_before_a_person() -> None:
    truth = settle([replace(_statement({"PatientID": "P"}), modality=None)])
    [doubt] = doubts_of_headers(truth, {}, has_accession=True, today=date(2026, 6, 10))
    assert doubt.kind == "missing-modality"


def _settle(*accessions: tuple[str | None, int], images: tuple[bool, ...] = (True, True)) -> Any:
    return settle(
        [
            replace(_statement({"AccessionNumber": number} if number else {}, objects), is_image=is_image)
            for (number, objects), is_image in zip(accessions, images, strict=True)
        ]
    )


def _statement(stated: dict[str, str], objects: int = 1) -> Statement:
    return Statement(1, "PACS_A", True, "CT", stated, objects)
