"""The demonstration network is one sound document, in which no ordinary work is without a reporter."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise, product

import pytest

from allocation.configuration.apply import apply
from allocation.configuration.document import Network
from allocation.configuration.document import Scope as ScopeRow
from allocation.configuration.references import Known, check_references
from allocation.eligibility import Exam, Work, judge
from allocation.entitlement import Entitlement
from allocation.pay.pricing import PayableWork, PricedExam, price
from allocation.pay.rate_card import RateCard, Tariff, TariffUnit, Window
from allocation.reporter import Registration, Reporter
from allocation.scope import Grant, Level, Scope
from cli.demonstration.network import demonstration_network, demonstration_rota
from tests.conftest import Database
from worklist.exams.codes import CodedExam
from worklist.exclusions.flags import FlagFacts, FlagRule, FlagState, flags_of
from worklist.turnaround.targets import Setting, Urgency

MONDAY = date(2026, 11, 23)
AT = datetime(2026, 11, 25, 10, tzinfo=UTC)
NETWORK = demonstration_network().network
AGES = {"child": 7, "adult": 52, "unknown": None}
FLAGS = frozenset(flag for row in NETWORK.scope for flag in row.excluded_flags)
REPORTED = [row for row in NETWORK.exam if row.modality != "US"]
NOT_IONISING = {"MR", "US"}
FLAG_RULES = [
    FlagRule(
        **{
            **row.model_dump(exclude={"state"}),
            **{
                name: frozenset(several) if (several := getattr(row, name)) else None
                for name in ("exam_codes", "modalities", "settings", "urgencies")
            },
            "state": FlagState(row.state),
        }
    )
    for row in NETWORK.flag
]


def test_every_reference_resolves() -> None:
    assert check_references(demonstration_network([MONDAY]), Known()) == []


def test_it_can_be_imported_whole_and_again(empty: Database) -> None:
    read = demonstration_network([MONDAY, MONDAY + timedelta(days=7)])
    with empty.begin() as connection:
        first = apply(connection, read, by="test")
        again = apply(connection, read, by="test")
    assert first.rows == again.rows
    assert first.rows["exam"] == 156
    assert first.rows["reporter"] == 26


def test_every_row_says_where_it_comes_from() -> None:
    assert all(row.source.startswith("demonstration catalogue") for row in NETWORK.exam)
    assert all(row.source.startswith("demonstration value") for row in NETWORK.outsource_price)


def test_no_target_calls_itself_national() -> None:
    assert not [row.id for row in NETWORK.target if "national" in row.source.lower()]


def test_each_trust_has_two_pacs_and_a_ris_that_know_the_same_services() -> None:
    for trust in NETWORK.trust:
        sources = [row for row in NETWORK.source if row.trust == trust.ods_code]
        assert len(sources) == 2
        assert sources[0].services == sources[1].services
        assert len([row for row in NETWORK.ris if row.trust == trust.ods_code]) == 1


@pytest.mark.parametrize("scope", NETWORK.scope, ids=lambda scope: scope.code)
def test_each_scope_covers_exams(scope: ScopeRow) -> None:
    assert _codes(scope)
    named = {
        (region.modality, subspecialty) for region in scope.regions for subspecialty in region.subspecialties or ()
    }
    assert named <= {(row.modality, row.subspecialty) for row in NETWORK.exam}


def test_no_scope_opens_ultrasound() -> None:
    ultrasound = {row.code for row in NETWORK.exam if row.modality == "US"}
    assert not [scope.code for scope in NETWORK.scope if _codes(scope) & ultrasound]


@pytest.mark.parametrize("part", ["breast", "cardiac", "nuclear", "nuclear_pet"])
def test_work_of_its_own_kind_is_not_open_to_every_radiologist(part: str) -> None:
    codes = {row.code for row in NETWORK.exam if row.subspecialty == part and row.modality != "US"}
    radiologists = [row for row in NETWORK.reporter if row.profession == "radiologist"]
    holders = [row for row in radiologists if codes & _granted(row.id)]
    assert 1 <= len(holders) <= 3 < len(radiologists)


def test_plain_film_of_children_is_not_open_to_every_radiologist() -> None:
    child = Work("RZ1", (Exam("XCHES", ionising=True),), 7, "gp")
    eligible = [row.code for row in REPORTERS if judge(row, child, AT).eligible]
    assert {"abernathy", "sorensen"} <= set(eligible)
    assert not {"rahman", "nakamura", "ellwood", "petrov"} & set(eligible)


@pytest.mark.parametrize("trust", [row.ods_code for row in NETWORK.trust])
@pytest.mark.parametrize("age", AGES)
def test_every_exam_has_an_autonomous_consultant_in_every_setting_at_every_trust(trust: str, age: str) -> None:
    missing = [
        (exam.code, setting)
        for exam, setting in product(REPORTED, [*Setting, None])
        if not _consultants(Work(trust, (Exam(exam.code, exam.modality not in NOT_IONISING),), AGES[age], setting))
    ]
    assert missing == []


@pytest.mark.parametrize("trust", [row.ods_code for row in NETWORK.trust])
def test_unmapped_work_has_a_consultant_who_classifies_it(trust: str) -> None:
    assert len(_consultants(Work(trust, (Exam(None, ionising=True),), None, None))) >= 3


def test_every_flag_that_a_scope_excludes_can_be_told_both_ways() -> None:
    told = {(row.flag, row.state) for row in NETWORK.flag}
    assert told == set(product(FLAGS, ("yes", "no")))


@pytest.mark.parametrize(
    ("exam", "age", "setting", "question", "so", "not_known"),
    [
        ("XKNEL", 40, "gp", "Fell", set(), set()),
        ("XKNEL", 40, "emergency", None, set(), set()),
        ("XKNEL", 40, "outpatient", None, set(), {"post_operative_complex"}),
        ("XKNEL", 40, "emergency", "Fixation of the tibia in May", {"post_operative_complex"}, set()),
        ("XKNEL", 8, "emergency", "Fell", set(), {"suspected_physical_abuse"}),
        ("XKNEL", None, "gp", None, set(), {"suspected_physical_abuse"}),
        ("XKNEL", 40, "gp", "? NAI as a child", {"suspected_physical_abuse"}, set()),
        ("XCHES", 40, "inpatient", None, set(), set()),
        ("CHEAD", 70, "emergency", "Fell", set(), set()),
        ("CHEAD", 70, "inpatient", "staging", {"known_cancer_staging"}, {"post_operative_complex"}),
    ],
)
def test_what_its_rules_tell(
    exam: str, age: int | None, setting: str, question: str | None, so: set[str], not_known: set[str]
) -> None:
    modality = next(row.modality for row in NETWORK.exam if row.code == exam)
    facts = FlagFacts("RZ1", MONDAY, (CodedExam(exam, modality),), age, Setting(setting), Urgency.ROUTINE, question)
    told = flags_of(facts, FLAG_RULES)
    assert {flag for flag, one in told.items() if one.state is FlagState.YES} == so
    assert FLAGS - told.keys() == not_known


def test_an_expired_passport_closes_a_trust() -> None:
    knee = Work("RZ4", (Exam("XKNEL", ionising=True),), 40, "gp", cleared_flags=FLAGS)
    verdict = judge(_reporter("pritchard"), knee, AT)
    assert verdict.failures == ("RZ4: the staff_passport entitlement is not in force on 2026-11-25",)
    assert judge(_reporter("pritchard"), replace(knee, trust="RZ3"), AT).eligible


def test_a_registration_that_runs_out_closes_everything() -> None:
    head = Work("RZ2", (Exam("CHEAD", ionising=True),), 70, "emergency", cleared_flags=FLAGS)
    assert judge(_reporter("mwangi"), head, AT).eligible
    assert not judge(_reporter("mwangi"), head, datetime(2027, 1, 4, 10, tzinfo=UTC)).eligible


def test_a_reporter_who_is_no_operator_reports_mr_alone_there() -> None:
    pelvis = Work("RZ2", (Exam("MGYNA", ionising=False),), 50, "outpatient")
    abdomen = Work("RZ2", (Exam("CABDO", ionising=True),), 50, "outpatient")
    assert judge(_reporter("delacroix"), pelvis, AT).eligible
    assert not judge(_reporter("delacroix"), abdomen, AT).eligible


def test_a_trainee_is_never_more_than_a_trainee() -> None:
    tremblay = next(row for row in NETWORK.reporter if row.id == "tremblay")
    assert {grant.level for grant in tremblay.grants} == {"trainee"}


@pytest.mark.parametrize("monday", [MONDAY, date(2026, 10, 19), date(2026, 3, 23)])
def test_no_reporter_s_sessions_overlap_within_a_week_or_into_the_next(monday: date) -> None:
    sessions = demonstration_network([monday, monday + timedelta(days=7)]).network.session
    for reporter in {one.reporter for one in sessions}:
        own = sorted((one for one in sessions if one.reporter == reporter), key=lambda one: one.starts)
        assert all(one.ends <= following.starts for one, following in pairwise(own))


@pytest.mark.parametrize("monday", [MONDAY, date(2026, 10, 19), date(2026, 3, 23)])
def test_a_duty_radiologist_is_there_at_every_hour(monday: date) -> None:
    weeks = [monday - timedelta(days=7), monday]
    duty = [one for one in demonstration_network(weeks).network.session if one.kind in {"duty", "on_call"}]
    start = datetime.combine(monday, time(0), UTC)
    instants = [start + timedelta(minutes=30 * n) for n in range(7 * 48 - 2)]
    assert [at for at in instants if not any(one.starts <= at < one.ends for one in duty)] == []
    classifying = {row.id for row in NETWORK.reporter if "duty-radiologist" in {grant.scope for grant in row.grants}}
    assert {one.reporter for one in duty} <= classifying


def test_insourced_sessions_stand_in_evenings_at_weekends_and_in_working_hours() -> None:
    insourced = [one for one in demonstration_network([MONDAY]).network.session if one.kind == "insourced"]
    assert [one for one in insourced if one.starts.hour >= 17]
    assert [one for one in insourced if one.starts.weekday() == 5]
    assert [one for one in insourced if one.starts.weekday() < 5 and one.ends.hour <= 17]


def test_everybody_who_reports_has_sessions() -> None:
    assert {one.reporter for one in demonstration_rota()} == {row.id for row in NETWORK.reporter}


def test_the_rate_card_prices_a_first_report_of_every_exam_and_of_an_unmapped_one() -> None:
    card = _card()
    exams = [PricedExam(row.code, row.modality, row.reporting_minutes) for row in NETWORK.exam]
    for exam in [*exams, PricedExam(None, None, exams[0].minutes)]:
        assert price(PayableWork("first", (exam,), AT, AT), card, frozenset()).total_pence >= 300


def test_every_modality_that_is_reported_has_an_outsource_price() -> None:
    assert {row.modality for row in NETWORK.outsource_price} == {row.modality for row in REPORTED}


def _codes(scope: ScopeRow) -> frozenset[str]:
    expanded = {
        exam.code
        for region in scope.regions
        for exam in NETWORK.exam
        if exam.modality == region.modality
        and (region.subspecialties is None or exam.subspecialty in region.subspecialties)
    }
    return frozenset(expanded | set(scope.exam_codes))


def _granted(reporter: str) -> set[str]:
    row = next(row for row in NETWORK.reporter if row.id == reporter)
    return {code for grant in row.grants for code in _codes(next(s for s in NETWORK.scope if s.code == grant.scope))}


def _consultants(work: Work) -> list[str]:
    verdicts = {row.code: judge(row, work, AT) for row in REPORTERS if row.grade == "consultant"}
    return [code for code, verdict in verdicts.items() if verdict.eligible and verdict.level is Level.AUTONOMOUS]


def _reporter(code: str) -> Reporter:
    return next(row for row in REPORTERS if row.code == code)


def _reporters(network: Network) -> list[Reporter]:
    scopes = {
        row.code: Scope(
            row.code,
            row.version,
            _codes(row),
            row.min_age_years,
            row.max_age_years,
            frozenset(row.settings) if row.settings else None,
            frozenset(row.excluded_flags),
            row.classifies_unmapped,
            row.valid_from,
            row.valid_until,
        )
        for row in network.scope
    }
    return [
        Reporter(
            number,
            row.id,
            row.name,
            row.profession,
            row.grade,
            row.subspecialties,
            tuple(Registration(one.body, one.valid_until) for one in row.registrations),
            tuple(
                Entitlement(n, one.trust, one.basis, one.operator, one.system_access, one.valid_from, one.valid_until)
                for n, one in enumerate(row.entitlements)
            ),
            tuple(
                Grant(
                    n,
                    scopes[one.scope],
                    Level[one.level.upper()],
                    one.min_age_years,
                    one.max_age_years,
                    frozenset(one.settings) if one.settings else None,
                    one.valid_from,
                    one.valid_until,
                )
                for n, one in enumerate(row.grants)
            ),
        )
        for number, row in enumerate(network.reporter)
    ]


def _card() -> RateCard:
    row = NETWORK.rate_card[0]
    days = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    tariffs = tuple(
        Tariff(
            one.code,
            TariffUnit(one.unit),
            one.amount_pence,
            frozenset(one.purposes),
            frozenset(one.exam_codes) if one.exam_codes else None,
            frozenset(one.modalities) if one.modalities else None,
        )
        for one in row.tariffs
    )
    windows = tuple(
        Window(
            one.name,
            frozenset(days.index(day) for day in one.days),
            one.starts,
            one.ends,
            one.bank_holidays,
            one.multiplier_percent,
        )
        for one in row.windows
    )
    return RateCard(1, row.code, row.version, row.valid_from, row.valid_to, row.approved_by, tariffs, windows)


REPORTERS = _reporters(NETWORK)
