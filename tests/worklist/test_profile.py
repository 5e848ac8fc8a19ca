"""Profiles are cut exactly where some scope of practice cuts, and never change their meaning."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worklist.profile import (
    Cut,
    Profile,
    ScopeTerms,
    age_band,
    age_cuts,
    exam_group_key,
    exam_groups,
    flags_of_exams,
    profile_of,
)

CODES = ("XCHES", "XHANL", "XKNEL", "CHEAD", "MHEAD")
IONISING = {"XCHES": True, "XHANL": True, "XKNEL": True, "CHEAD": True, "MHEAD": False}
CUT = Cut((0, 16, 65), {"XCHES": 1, "XHANL": 2, "XKNEL": 2})
FLAGGED = replace(
    CUT, flags_of_group={1: frozenset({"research", "child-protection", "trauma"}), None: frozenset({"research"})}
)

_limits = st.one_of(st.none(), st.integers(0, 130))
_scopes = st.lists(
    st.builds(ScopeTerms, st.frozensets(st.sampled_from(CODES)), _limits, _limits),
    max_size=6,
)


def test_codes_that_no_scope_tells_apart_are_one_group() -> None:
    scopes = [ScopeTerms(frozenset({"XHANL", "XKNEL"}), None, None)]
    assert exam_groups(IONISING, scopes) == [("CHEAD", "XCHES"), ("MHEAD",), ("XHANL", "XKNEL")]


def test_a_new_scope_that_holds_one_of_them_splits_the_group() -> None:
    scopes = [ScopeTerms(frozenset({"XHANL", "XKNEL"}), None, None), ScopeTerms(frozenset({"XKNEL"}), None, None)]
    assert exam_groups(IONISING, scopes) == [("CHEAD", "XCHES"), ("MHEAD",), ("XHANL",), ("XKNEL",)]


def test_ionising_work_stands_apart_from_other_work_though_no_scope_tells_them_apart() -> None:
    assert exam_groups({"XCHES": True, "MHEAD": False}, []) == [("MHEAD",), ("XCHES",)]


@given(_scopes)
def test_every_code_is_in_one_group_and_all_codes_of_a_group_are_in_the_same_scopes(scopes: list[ScopeTerms]) -> None:
    groups = exam_groups(IONISING, scopes)
    assert sorted(code for group in groups for code in group) == sorted(CODES)
    for group in groups:
        assert len({tuple(code in scope.exam_codes for scope in scopes) for code in group}) == 1
        assert len({IONISING[code] for code in group}) == 1


@given(_scopes)
def test_two_groups_are_told_apart_by_some_scope_or_by_ionising_radiation(scopes: list[ScopeTerms]) -> None:
    groups = exam_groups(IONISING, scopes)
    kinds = [(IONISING[group[0]], *(group[0] in scope.exam_codes for scope in scopes)) for group in groups]
    assert len(kinds) == len(set(kinds))


def test_ages_are_cut_where_a_scope_begins_and_after_the_year_in_which_it_ends() -> None:
    assert age_cuts([ScopeTerms(frozenset(), 16, None), ScopeTerms(frozenset(), None, 64)]) == (0, 16, 65)


@given(_scopes, st.integers(0, 130))
def test_an_age_lies_in_its_band_and_every_age_of_the_band_is_alike_to_every_scope(
    scopes: list[ScopeTerms], age: int
) -> None:
    first, last = age_band(age, age_cuts(scopes))
    assert first <= age
    assert last is None or age <= last
    for other in range(first, 131 if last is None else last + 1):
        for scope in scopes:
            assert _covers(scope, other) == _covers(scope, age)


def test_the_last_band_has_no_end() -> None:
    assert age_band(90, (0, 16, 65)) == (65, None)


def test_work_of_two_groups_names_both_once_and_in_order() -> None:
    assert profile_of(["XHANL", "XCHES", "XKNEL"], 40, "gp", [], [], CUT) == Profile((1, 2), False, 16, 64, "gp", ())


def test_an_unknown_age_is_a_band_of_its_own() -> None:
    assert profile_of(["XCHES"], None, None, [], [], CUT) == Profile((1,), False, None, None, None, ())


def test_a_code_that_is_not_mapped_or_not_catalogued_makes_the_work_unmapped() -> None:
    assert profile_of(["XCHES", None], 40, "gp", [], [], CUT) == Profile((1,), True, 16, 64, "gp", ())
    assert profile_of(["NOVEL"], 40, "gp", [], [], CUT) == Profile((), True, 16, 64, "gp", ())
    assert profile_of([], 40, "gp", [], [], CUT) == Profile((), True, 16, 64, "gp", ())


def test_flags_count_once_and_in_no_order() -> None:
    one = profile_of(["XCHES"], 40, "gp", ["research", "child-protection"], [], FLAGGED)
    other = profile_of(["XCHES"], 40, "gp", ["child-protection", "research", "research"], [], FLAGGED)
    assert one.key == other.key
    assert one.flags == ("child-protection", "research")


def test_of_the_flags_that_tell_an_exam_apart_some_are_so_some_are_not_and_the_rest_is_not_known() -> None:
    found = profile_of(["XCHES"], 40, "gp", ["research"], ["child-protection", "research", "other"], FLAGGED)
    assert (found.flags, found.cleared_flags, found.unknown_flags) == (
        ("research",),
        ("child-protection",),
        ("trauma",),
    )
    assert found.key.endswith("|flags=research|cleared=child-protection|unknown=trauma")


def test_flags_that_tell_none_of_the_exams_apart_are_not_in_the_profile() -> None:
    assert profile_of(["XHANL"], 40, "gp", ["research"], ["trauma"], FLAGGED) == Profile((2,), False, 16, 64, "gp", ())
    both = profile_of(["XHANL", "XCHES"], 40, "gp", [], [], FLAGGED)
    assert both.unknown_flags == ("child-protection", "research", "trauma")


def test_unmapped_work_is_told_apart_by_the_flags_of_who_classifies() -> None:
    assert profile_of(["XHANL", None], 40, "gp", [], [], FLAGGED).unknown_flags == ("research",)
    assert profile_of([], 40, "gp", [], ["research"], FLAGGED).cleared_flags == ("research",)


def test_the_flags_of_a_group_are_those_of_every_scope_that_covers_one_of_its_exams() -> None:
    terms = [
        ScopeTerms(frozenset({"XCHES", "XHANL"}), None, None, frozenset({"a"})),
        ScopeTerms(frozenset({"XHANL"}), None, None, frozenset({"b"}), classifies_unmapped=True),
        ScopeTerms(frozenset({"XCHES"}), None, None),
    ]
    assert [flags_of_exams(terms, codes) for codes in (["XCHES"], ["XHANL"], ["XKNEL"], None)] == [
        {"a"},
        {"a", "b"},
        set(),
        {"b"},
    ]


_FLAGS = ("a", "b", "a,b", "a%2Cb", "|", "a|flags=b")
_flags = st.sets(st.sampled_from(_FLAGS)).map(lambda flags: tuple(sorted(flags)))


@given(_flags, _flags)
def test_two_sets_of_flags_have_one_key_only_if_they_are_one(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    cut = replace(CUT, flags_of_group={1: frozenset(_FLAGS)})
    keys = {profile_of(["XCHES"], 40, "gp", flags, [], cut).key for flags in (one, other)}
    assert (len(keys) == 1) == (one == other)


@pytest.mark.parametrize(
    "other",
    [
        Profile((2,), False, 16, 64, "gp", ()),
        Profile((1, 2), False, 16, 64, "gp", ()),
        Profile((1,), True, 16, 64, "gp", ()),
        Profile((1,), False, 0, 15, "gp", ()),
        Profile((1,), False, 16, None, "gp", ()),
        Profile((1,), False, None, None, "gp", ()),
        Profile((1,), False, 16, 64, None, ()),
        Profile((1,), False, 16, 64, "gp", ("research",)),
    ],
)
def test_whatever_differs_between_two_profiles_is_in_the_key(other: Profile) -> None:
    assert Profile((1,), False, 16, 64, "gp", ()).key != other.key


def test_the_key_of_a_group_is_its_codes_in_any_order_and_whether_they_are_ionising() -> None:
    key = exam_group_key(["XHANL", "XKNEL"], ionising=True)
    assert key == exam_group_key(["XKNEL", "XHANL"], ionising=True)
    assert key != exam_group_key(["XHANL", "XKNEL"], ionising=False)
    assert key != exam_group_key(["XHANL"], ionising=True)


def _covers(scope: ScopeTerms, age: int) -> bool:
    lowest = 0 if scope.min_age_years is None else scope.min_age_years
    highest = 999 if scope.max_age_years is None else scope.max_age_years
    return lowest <= age <= highest
