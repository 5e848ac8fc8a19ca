"""What a source called an exam is mapped exactly or not at all."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worklist.exam_codes import Alias, Catalogue, Exam, MappedExam, map_exams, normal, uk_modality
from worklist.intake.study import Code

CHEST = Exam("XCHES", "XR Chest", "XR", "chest", Decimal(2), True, "399208008")
HAND = Exam("XHANL", "XR Hand Lt", "XR", "msk", Decimal("1.5"), True)
CT_HEAD = Exam("CHEAD", "CT Head", "CT", "neuro", Decimal(8), True, "303653007")
CATALOGUE = Catalogue(
    {exam.code: exam for exam in (CHEST, HAND, CT_HEAD)},
    {
        ("code", "CXR1"): (Alias("XCHES", id=1),),
        ("description", "PLAIN FILM CHEST"): (Alias("XCHES", id=2),),
        ("code", "OLD"): (Alias("GONE", id=3),),
    },
)
DAY = date(2026, 6, 10)


def test_a_requested_code_decides_over_a_performed_one_and_over_the_description() -> None:
    found = map_exams([Code("XHANL")], [Code("XCHES")], "XR Chest", ["DX"], CATALOGUE, DAY)
    assert [(one.exam, one.mapped_by) for one in found] == [(HAND, "requested-code")]


def test_a_performed_code_decides_where_nothing_was_requested() -> None:
    found = map_exams([], [Code("XCHES")], "XR Hand Lt", ["DX"], CATALOGUE, DAY)
    assert [(one.exam, one.mapped_by) for one in found] == [(CHEST, "performed-code")]


@pytest.mark.parametrize("description", ["XR Chest", "xr  chest ", "Plain Film Chest", "XCHES"])
def test_an_exact_description_decides_where_there_is_no_code(description: str) -> None:
    assert map_exams([], [], description, ["DX"], CATALOGUE, DAY)[0].exam == CHEST


@pytest.mark.parametrize("description", ["XR Chest PA", "Chest", "XR Chst", None, ""])
def test_a_description_that_is_only_alike_is_not_mapped(description: str | None) -> None:
    assert map_exams([], [], description, ["DX"], CATALOGUE, DAY) == (MappedExam(None, None, description, "unmapped"),)


@pytest.mark.parametrize("code", [Code("CXR1"), Code(" cxr1 "), Code("xches"), Code("399208008", "SCT")])
def test_a_code_is_known_by_a_trust_s_own_word_by_our_code_or_by_snomed(code: Code) -> None:
    assert map_exams([code], [], None, ["CR"], CATALOGUE, DAY)[0].exam == CHEST


@pytest.mark.parametrize("code", [Code("399208008"), Code("XCHES", "SCT"), Code("OLD"), Code("XCHE"), Code("")])
def test_a_code_of_another_scheme_or_of_no_exam_is_not_mapped(code: Code) -> None:
    assert map_exams([code], [], None, ["DX"], CATALOGUE, DAY)[0].exam is None


def test_an_unknown_code_is_not_helped_by_a_known_description() -> None:
    found = map_exams([Code("NOVEL", "L", "XR Chest")], [], "XR Chest", ["DX"], CATALOGUE, DAY)
    assert found == (MappedExam(None, "NOVEL", "XR Chest", "unmapped", "L"),)


def test_a_code_whose_exam_needs_other_images_than_those_that_came_is_not_believed() -> None:
    assert map_exams([Code("CHEAD")], [], None, ["MR"], CATALOGUE, DAY)[0].mapped_by == "contradicts-images"


@pytest.mark.parametrize("images", [["DX"], ["CR"], ["DX", "SC"], ["OT"], []])
def test_computed_and_digital_radiography_are_one_and_captures_say_nothing(images: list[str]) -> None:
    assert map_exams([Code("XCHES")], [], None, images, CATALOGUE, DAY)[0].exam == CHEST


def test_each_code_of_an_accession_is_an_exam_of_it() -> None:
    found = map_exams([Code("XCHES"), Code("XHANL"), Code("NOVEL")], [], None, ["DX"], CATALOGUE, DAY)
    assert [one.exam for one in found] == [CHEST, HAND, None]


def test_an_exam_named_twice_in_other_words_is_one_exam() -> None:
    sent = [Code("XCHES", "L", "XR Chest"), Code("XCHES", "L", "XR CHEST"), Code("CXR1"), Code("399208008", "SCT")]
    assert [one.exam for one in map_exams(sent, [], None, ["DX"], CATALOGUE, DAY)] == [CHEST]


def test_an_unknown_code_sent_twice_is_one_unmapped_exam() -> None:
    sent = [Code("NOVEL", "L", "one"), Code("NOVEL", "L", "other")]
    assert len(map_exams(sent, [], None, ["DX"], CATALOGUE, DAY)) == 1


_codes = st.lists(
    st.builds(Code, st.sampled_from(["XCHES", "XHANL", "CHEAD", "NOVEL", ""]), st.sampled_from(["L", "SCT"])),
    max_size=4,
)


@given(_codes, _codes, st.one_of(st.none(), st.text(max_size=12)), st.lists(st.sampled_from(["DX", "CT", "SC"])))
def test_at_least_one_row_comes_back_and_each_exam_once(
    requested: list[Code], performed: list[Code], description: str | None, images: list[str]
) -> None:
    found = map_exams(requested, performed, description, images, CATALOGUE, DAY)
    codes = [one.exam.code for one in found if one.exam]
    assert found
    assert len(codes) == len(set(codes))


def test_labels_and_words_are_compared_in_one_form() -> None:
    assert (uk_modality("CR"), uk_modality("CT"), normal("  xr   Chest ")) == ("XR", "CT", "XR CHEST")
