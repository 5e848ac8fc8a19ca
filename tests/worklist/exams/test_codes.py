"""What a source called an exam is mapped exactly or not at all."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worklist.exams.codes import Alias, Catalogue, Exam, MappedExam, map_exams, normal, uk_modality
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


NEXT_YEAR = Exam("XNEXT", "XR Next", "XR", "msk", Decimal(2), True, valid_from=date(2027, 1, 1))
LAST_YEAR = Exam("XLAST", "XR Last", "XR", "msk", Decimal(2), True, valid_to=date(2026, 6, 9))
TWIN = Exam("XTWIN", "XR Twin", "XR", "msk", Decimal(2), True, "700", "Plain film of twin (procedure)")
OTHER_TWIN = Exam("XTWIM", "XR Twin", "XR", "msk", Decimal(2), True, "700")
PAST_TWIN = Exam("XTWIP", "XR Past", "XR", "msk", Decimal(2), True, "700", valid_to=date(2020, 1, 1))
WIDER = Catalogue(
    {exam.code: exam for exam in (CHEST, HAND, CT_HEAD, NEXT_YEAR, LAST_YEAR, TWIN, OTHER_TWIN, PAST_TWIN)},
    {
        ("code", "OURS"): (Alias("XHANL", date(2026, 6, 1), id=9), Alias("XCHES", valid_to=date(2026, 5, 31), id=8)),
        ("snomed-code", "555"): (Alias("XCHES", id=7),),
        ("code", "SOON"): (Alias("XNEXT", id=6),),
    },
)


@pytest.mark.parametrize(
    ("requested", "performed", "codes", "mapped_by"),
    [
        ([Code("NOVEL")], [Code("XCHES")], ["XCHES"], ["performed-code"]),
        ([Code("NOVEL")], [Code("OTHER")], [None], ["unmapped"]),
        ([Code("NOVEL"), Code("XHANL")], [Code("XCHES")], [None, "XHANL"], ["unmapped", "requested-code"]),
        ([Code("NOVEL"), Code("OTHER")], [Code("XCHES")], [None, None], ["unmapped", "unmapped"]),
        ([Code("NOVEL")], [Code("XCHES"), Code("OTHER")], [None], ["unmapped"]),
        ([Code("CHEAD")], [Code("XCHES")], [None], ["contradicts-images"]),
        ([Code("399208008", "SCT")], [], ["XCHES"], ["snomed-code"]),
        ([Code("399208008", "SCT")], [Code("XHANL")], ["XHANL"], ["performed-code"]),
        ([Code("399208008", "SCT")], [Code("NOVEL")], ["XCHES"], ["snomed-code"]),
        ([Code("NOVEL")], [Code("399208008", "SCT")], ["XCHES"], ["snomed-code"]),
        ([Code("XHANL")], [Code("399208008", "SCT")], ["XHANL"], ["requested-code"]),
        ([Code("XHANL"), Code("399208008", "SCT")], [], ["XHANL", "XCHES"], ["requested-code", "snomed-code"]),
        ([Code("555", "SCT")], [], ["XCHES"], ["snomed-code"]),
        ([Code("700", "SCT")], [], [None], ["ambiguous"]),
        ([Code("XNEXT")], [], [None], ["not-yet-valid"]),
        ([Code("SOON")], [], [None], ["not-yet-valid"]),
        ([Code("XLAST")], [], [None], ["no-longer-valid"]),
        ([Code("XNEXT")], [Code("XCHES")], ["XCHES"], ["performed-code"]),
    ],
)
def test_the_first_statement_decides_and_gives_way_only_to_one_that_loses_nothing(
    requested: list[Code], performed: list[Code], codes: list[str | None], mapped_by: list[str]
) -> None:
    found = map_exams(requested, performed, "XR Chest", ["DX"], WIDER, DAY)
    assert [one.exam.code if one.exam else None for one in found] == codes
    assert [one.mapped_by for one in found] == mapped_by


@pytest.mark.parametrize(
    ("description", "code", "mapped_by"),
    [
        ("XR Twin", None, "ambiguous"),
        ("plain film of TWIN (procedure)", "XTWIN", "description"),
        ("XR Next", None, "not-yet-valid"),
        ("XR Past", None, "no-longer-valid"),
        ("XLAST", None, "no-longer-valid"),
    ],
)
def test_a_description_is_mapped_where_it_is_one_exam_s_that_day(
    description: str, code: str | None, mapped_by: str
) -> None:
    (found,) = map_exams([], [], description, ["DX"], WIDER, DAY)
    assert (found.exam.code if found.exam else None, found.mapped_by) == (code, mapped_by)


@pytest.mark.parametrize(
    ("on", "code", "alias"), [(date(2026, 5, 31), "XCHES", 8), (date(2026, 6, 1), "XHANL", 9), (DAY, "XHANL", 9)]
)
def test_a_trust_s_own_word_means_what_it_meant_on_the_day_of_the_exam(on: date, code: str, alias: int) -> None:
    (found,) = map_exams([Code("ours")], [], None, ["DX"], WIDER, on)
    assert found.exam is not None
    assert (found.exam.code, found.alias_id) == (code, alias)


def test_an_unmapped_exam_says_which_it_would_be() -> None:
    (found,) = map_exams([Code("XNEXT")], [], None, ["DX"], WIDER, DAY)
    assert (found.exam, found.named) == (None, NEXT_YEAR)
