"""Who may report what: cases that a clinical lead can read, and properties that hold for all."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from allocation.eligibility import Exam, Work, end_of, judge, judge_clinical, next_change
from allocation.entitlement import Entitlement
from allocation.reporter import Registration, Reporter
from allocation.scope import Grant, Level, Scope
from allocation.workforce import _representative
from tests.conftest import NOW
from worklist.profile import Cut, ScopeTerms, age_cuts, exam_groups, flags_of_exams, profile_of

_LINES = (Path(__file__).parent / "eligibility_cases.csv").read_text().splitlines()
CASES = list(csv.DictReader(line for line in _LINES if not line.startswith("#")))
TODAY, LONG_AGO, FAR = date(2026, 6, 10), date(2020, 1, 1), date(2030, 12, 31)
IONISING = {"XCHES": True, "XHANL": True, "XKNEL": True, "CHEAD": True, "MHEAD": False}
CODES = tuple(IONISING)
ALL_CODES = frozenset(CODES)


def test_there_are_at_least_sixty_cases_and_each_has_its_own_name() -> None:
    assert len(CASES) >= 60
    assert len({case["case"] for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_case(case: Mapping[str, str]) -> None:
    verdict = judge(_reporter_of(_changes(case["reporter"])), _work_of(_changes(case["work"])), NOW)
    told = verdict.level.name.lower() if verdict.level else "no"
    assert told == case["verdict"], verdict.failures
    for reason in filter(None, case["because"].split("|")):
        assert any(reason in failure for failure in verdict.failures), verdict.failures
    assert verdict.eligible == (not verdict.failures)


def test_a_verdict_is_good_until_the_first_of_its_records_ends() -> None:
    who = _reporter_of({"registration.until": "2026-08-01", "entitlement.until": "2026-07-15"})
    assert judge(who, _work_of({}), NOW).valid_until == datetime(2026, 7, 15, 23, tzinfo=UTC)


def test_a_local_date_is_over_at_midnight_in_london() -> None:
    assert end_of(date(2026, 6, 10)) == datetime(2026, 6, 10, 23, tzinfo=UTC)
    assert end_of(date(2026, 12, 10)) == datetime(2026, 12, 11, 0, tzinfo=UTC)


@pytest.mark.parametrize("minute", [0, 29, 59])
def test_the_day_is_london_s_and_not_utc_s(minute: int) -> None:
    who = _reporter_of({"grant.from": "2026-06-11"})
    late_in_london = datetime(2026, 6, 10, 23, minute, tzinfo=UTC)
    assert judge(who, _work_of({}), late_in_london).eligible
    assert not judge(who, _work_of({}), late_in_london - timedelta(hours=1)).eligible


def test_records_that_are_valid_to_the_end_of_the_calendar_are_valid() -> None:
    for_ever = {f"{what}.until": "9999-12-31" for what in ("registration", "entitlement", "grant", "scope")}
    assert judge(_reporter_of(for_ever), _work_of({}), NOW).eligible
    assert next_change(_reporter_of(for_ever), TODAY) == date(9999, 1, 1)


_limit = st.one_of(st.none(), st.none(), st.integers(0, 100))
_years: st.SearchStrategy[Any] = st.integers(0, 100)
_setting = st.sampled_from(["gp", "emergency", "inpatient"])
_settings = st.one_of(st.none(), st.none(), st.frozensets(_setting, min_size=1))
_day = st.sampled_from([LONG_AGO, TODAY - timedelta(days=1), TODAY, TODAY + timedelta(days=1), FAR])
_flags = st.one_of(st.just(frozenset[str]()), st.frozensets(st.sampled_from(["research", "nai"])))
_codes = st.one_of(st.frozensets(st.sampled_from(CODES)), st.sets(st.sampled_from(CODES)).map(ALL_CODES.difference))
_scope = st.builds(
    Scope, st.just("s"), st.just(1), _codes, _limit, _limit, _settings, _flags,
    st.booleans(), _day, _day,
)  # fmt: skip
_grant = st.builds(
    Grant, st.integers(1, 99), _scope, st.sampled_from(Level), _limit, _limit, _settings, _day, _day,
    st.one_of(st.none(), st.just(NOW)),
)  # fmt: skip
_entitlement = st.builds(
    Entitlement, st.just(1), st.sampled_from(["RXA", "RXB"]), st.just("honorary_contract"), st.booleans(),
    st.booleans(), _day, _day,
)  # fmt: skip
_reporter = st.builds(
    Reporter,
    st.just(1),
    st.just("code"),
    st.just("name"),
    st.sampled_from(["radiologist", "radiographer"]),
    st.just("grade"),
    registrations=st.lists(st.builds(Registration, st.sampled_from(["GMC", "HCPC"]), _day), max_size=2).map(tuple),
    entitlements=st.lists(_entitlement, max_size=3).map(tuple),
    grants=st.lists(_grant, max_size=4).map(tuple),
    suspended_at=st.one_of(st.none(), st.none(), st.just(NOW)),
)
_exam = st.sampled_from([Exam(code, ionising) for code, ionising in IONISING.items()] + [Exam(None, True)])
_work = st.builds(
    Work,
    st.sampled_from(["RXA", "RXA", "RXB"]),
    st.lists(_exam, max_size=2).map(tuple),
    st.one_of(st.none(), st.integers(0, 110)),
    st.one_of(st.none(), _setting),
    _flags,
    st.one_of(st.just(frozenset({"research", "nai"})), _flags),
)


def _in_force(grant: Grant) -> Grant:
    scope = replace(grant.scope, valid_from=LONG_AGO, valid_until=FAR)
    return replace(grant, scope=scope, valid_from=LONG_AGO, valid_until=FAR, suspended_at=None)


def _holding(grants: list[Grant]) -> Reporter:
    return replace(_reporter_of({}), grants=tuple(grants))


#: A reporter who may report a good deal, so that narrowing has something to take away.
_able = st.lists(_grant.map(_in_force), min_size=1, max_size=3).map(_holding)
_soon = st.sampled_from([TODAY, TODAY + timedelta(days=1), TODAY + timedelta(days=3)])
_dated = st.builds(
    lambda grant, begins, ends: replace(_in_force(grant), valid_from=begins, valid_until=ends),
    _grant,
    st.one_of(st.just(LONG_AGO), _soon),
    st.one_of(st.just(FAR), _soon),
)
_able_by_the_day = st.lists(_dated, min_size=1, max_size=4).map(_holding)
_narrowing = st.sampled_from(
    ["min_age_years", "max_age_years", "settings", "excluded_flags", "valid_from", "valid_until", "exam_codes"]
)


@settings(max_examples=200)
@given(_able, _work, _narrowing, st.booleans(), st.data())
def test_adding_a_condition_never_makes_anybody_eligible(
    who: Reporter, work: Work, what: str, on_the_grant: bool, data: st.DataObject
) -> None:
    number = data.draw(st.integers(0, len(who.grants) - 1))
    narrowed = _narrowed(who.grants[number], what, on_the_grant, data)
    grants = (*who.grants[:number], narrowed, *who.grants[number + 1 :])
    before, after = judge(who, work, NOW), judge(replace(who, grants=grants), work, NOW)
    assert before.eligible or not after.eligible
    if before.level and after.level:
        assert after.level <= before.level


@given(st.one_of(_reporter, _able), _work, st.data())
def test_taking_a_record_away_never_makes_anybody_eligible(who: Reporter, work: Work, data: st.DataObject) -> None:
    what = data.draw(st.sampled_from(["registrations", "entitlements", "grants"]))
    records = getattr(who, what)
    assume(records)
    number = data.draw(st.integers(0, len(records) - 1))
    left: Any = {what: (*records[:number], *records[number + 1 :])}
    fewer = replace(who, **left)
    assert judge(who, work, NOW).eligible or not judge(fewer, work, NOW).eligible


@settings(max_examples=200)
@given(_able, _work, st.integers(0, 130), _setting)
def test_what_may_be_reported_with_a_fact_missing_may_be_reported_whatever_the_fact_is(
    who: Reporter, work: Work, age: int, setting: str
) -> None:
    if judge(who, replace(work, age_years=None), NOW).eligible:
        assert judge(who, replace(work, age_years=age), NOW).eligible
    if judge(who, replace(work, setting=None), NOW).eligible:
        assert judge(who, replace(work, setting=setting), NOW).eligible
    if judge(who, replace(work, flags=frozenset(), cleared_flags=frozenset()), NOW).eligible:
        assert judge(who, work, NOW).eligible


@settings(max_examples=200)
@given(_able, _work, _exam)
def test_one_more_exam_never_makes_anybody_eligible(who: Reporter, work: Work, exam: Exam) -> None:
    assume(work.exams)
    assert judge(who, work, NOW).eligible or not judge(who, replace(work, exams=(*work.exams, exam)), NOW).eligible


@given(_able, _work)
def test_an_exam_that_is_not_mapped_is_for_those_alone_who_classify(who: Reporter, work: Work) -> None:
    nobody = tuple(replace(one, scope=replace(one.scope, classifies_unmapped=False)) for one in who.grants)
    unmapped = replace(work, exams=(*work.exams, Exam(None, ionising=True)))
    assert not judge(replace(who, grants=nobody), unmapped, NOW).eligible


@given(st.one_of(_reporter, _able), _work)
def test_nobody_is_eligible_without_every_reason_passing_and_the_verdict_has_an_end(who: Reporter, work: Work) -> None:
    verdict = judge(who, work, NOW)
    assert verdict.eligible == all(reason.passed for reason in verdict.reasons)
    assert verdict.eligible == (verdict.level is not None) == (verdict.valid_until is not None)
    assert verdict.valid_until is None or verdict.valid_until > NOW


@settings(max_examples=200)
@given(_able_by_the_day, _work, st.integers(0, 5))
def test_no_verdict_changes_before_the_next_change(who: Reporter, work: Work, days: int) -> None:
    changes = next_change(who, TODAY)
    later = NOW + timedelta(days=days)
    if changes is None or later.date() < changes:
        before, after = judge(who, work, NOW), judge(who, work, later)
        assert (before.eligible, before.level) == (after.eligible, after.level)


@given(st.lists(_able, min_size=1, max_size=3), _work)
def test_a_profile_s_representative_gets_the_verdict_of_every_work_of_the_profile(
    reporters: list[Reporter], work: Work
) -> None:
    grants = [grant for who in reporters for grant in who.grants]
    terms = [
        ScopeTerms(
            scope.exam_codes,
            scope.min_age_years,
            scope.max_age_years,
            scope.excluded_flags,
            scope.classifies_unmapped,
        )
        for scope in (one.scope for one in grants)
    ]
    ages = [ScopeTerms(frozenset(), one.min_age_years, one.max_age_years) for one in grants]
    groups = dict(enumerate(exam_groups(IONISING, terms), start=1))
    cut = Cut(
        age_cuts([*terms, *ages]),
        {code: number for number, codes in groups.items() for code in codes},
        {
            None: flags_of_exams(terms, None),
            **{number: flags_of_exams(terms, codes) for number, codes in groups.items()},
        },
    )
    codes = [exam.code for exam in work.exams]
    profile: Any = profile_of(codes, work.age_years, work.setting, work.flags, work.cleared_flags, cut)
    for who in reporters:
        reasons, level, until = judge_clinical(who, work, TODAY)
        of_profile, its_level, its_until = judge_clinical(who, _representative(profile, groups), TODAY)
        passed = all(reason.passed for reason in reasons)
        assert all(reason.passed for reason in of_profile) == passed
        if passed:
            assert (its_level, its_until) == (level, until)


def _narrowed(grant: Grant, what: str, on_the_grant: bool, data: st.DataObject) -> Grant:
    scope = grant.scope
    if what == "exam_codes":
        return replace(grant, scope=replace(scope, exam_codes=scope.exam_codes - {data.draw(st.sampled_from(CODES))}))
    if what == "excluded_flags":
        return replace(grant, scope=replace(scope, excluded_flags=scope.excluded_flags | data.draw(_flags)))
    holder: Any = grant if on_the_grant else scope
    now = getattr(holder, what)
    if what == "settings":
        more: Any = data.draw(st.frozensets(_setting, min_size=1))
        value: Any = more if now is None else now & more
    elif what in ("min_age_years", "valid_from"):
        more = data.draw(_years if what == "min_age_years" else _day)
        value = more if now is None else max(now, more)
    else:
        more = data.draw(_years if what == "max_age_years" else _day)
        value = more if now is None else min(now, more)
    return replace(grant, **{what: value}) if on_the_grant else replace(grant, scope=replace(scope, **{what: value}))


def _changes(text_: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in text_.split(";") if part)


def _reporter_of(changes: Mapping[str, str]) -> Reporter:
    """Give the radiographer of the table of cases, with what the case changes."""

    def dates(what: str) -> tuple[date, date]:
        return (
            date.fromisoformat(changes.get(f"{what}.from", "2020-01-01")),
            date.fromisoformat(changes.get(f"{what}.until", "2030-12-31")),
        )

    grants = [_grant_of(changes, "", 1)]
    if any(key.startswith(("scope2", "grant2")) for key in changes):
        grants.append(_grant_of(changes, "2", 2))
    entitled = Entitlement(
        1,
        "RXA",
        "staff_passport",
        changes.get("entitlement.operator", "yes") == "yes",
        changes.get("entitlement.system_access", "yes") == "yes",
        *dates("entitlement"),
    )
    registered = Registration(changes.get("registration.body", "HCPC"), dates("registration")[1])
    return Reporter(
        1,
        "hart",
        "Hana Hart",
        changes.get("profession", "radiographer"),
        "advanced",
        registrations=() if changes.get("registration") == "none" else (registered,),
        entitlements=() if changes.get("entitlements") == "none" else (entitled,),
        grants=() if changes.get("grants") == "none" else tuple(grants),
        suspended_at=NOW if changes.get("suspended") == "yes" else None,
    )


def _grant_of(changes: Mapping[str, str], number: str, grant_id: int) -> Grant:
    def of(what: str, key: str, default: str) -> str:
        return changes.get(f"{what}{number}.{key}", default)

    def years(what: str, key: str) -> int | None:
        return int(of(what, key, "")) if of(what, key, "") else None

    def several(what: str, key: str, default: str = "") -> frozenset[str]:
        return frozenset(filter(None, of(what, key, default).split("+")))

    def day(what: str, key: str, default: date) -> date:
        return date.fromisoformat(of(what, key, default.isoformat()))

    scope = Scope(
        f"scope{number}",
        1,
        several("scope", "exams", "XHANL+XKNEL"),
        years("scope", "min_age"),
        years("scope", "max_age"),
        several("scope", "settings") or None,
        several("scope", "excludes"),
        of("scope", "classifies_unmapped", "no") == "yes",
        day("scope", "from", LONG_AGO),
        day("scope", "until", FAR),
    )
    return Grant(
        grant_id,
        scope,
        Level[of("grant", "level", "autonomous").upper()],
        years("grant", "min_age"),
        years("grant", "max_age"),
        several("grant", "settings") or None,
        day("grant", "from", LONG_AGO),
        day("grant", "until", FAR),
        NOW if of("grant", "suspended", "no") == "yes" else None,
    )


def _work_of(changes: Mapping[str, str]) -> Work:
    """Give a left hand of a 40-year-old from a GP of RXA, with what the case changes."""
    codes = [None if code == "?" else code for code in changes.get("exams", "XHANL").split("+") if code]
    age, setting = changes.get("age", "40"), changes.get("setting", "gp")
    return Work(
        changes.get("trust", "RXA"),
        tuple(Exam(code, True if code is None else IONISING[code]) for code in codes),
        None if age == "?" else int(age),
        None if setting == "?" else setting,
        frozenset(filter(None, changes.get("flags", "").split("+"))),
        frozenset(filter(None, changes.get("cleared", "").split("+"))),
    )
