"""Who may report what in practice: cases of imaging departments, a line each, that a clinical lead can read."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path

import pytest

from allocation.eligibility import Exam, Work, judge
from allocation.entitlement import Entitlement
from allocation.reporter import REGISTER, Registration, Reporter
from allocation.scope import Grant, Level, Scope
from tests.conftest import NOW

Row = dict[str, str]

_HERE = Path(__file__).parent
FIRST, LAST, YESTERDAY = date(2025, 1, 1), date(2030, 12, 31), date(2026, 6, 9)
#: Exams without ionising radiation; all others have it.
_MR = ("MKNEL", "MLSPN", "MIAMS", "MHEAD", "MCARD")


def _rows(name: str) -> list[Row]:
    lines = (_HERE / name).read_text().splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


REPORTERS = {row["reporter"]: row for row in _rows("practice_reporters.csv")}
FLAGS = frozenset(flag for row in REPORTERS.values() for flag in row["excludes"].split())
CASES = _rows("practice_cases.csv")


def test_there_are_at_least_four_hundred_cases_and_no_two_are_one() -> None:
    assert len({(row["reporter"], row["case"]) for row in CASES}) == len(CASES) >= 400
    assert {row["reporter"] for row in CASES} == set(REPORTERS)


@pytest.mark.parametrize("row", CASES, ids=[f"{row['reporter']}: {row['case']}" for row in CASES])
def test_case(row: Row) -> None:
    verdict = judge(_reporter(REPORTERS[row["reporter"]]), _work(row), NOW)
    told = verdict.level.name.lower() if verdict.level else "no"
    assert told == row["verdict"], verdict.failures
    assert all(row["because"] in failure for failure in verdict.failures), verdict.failures
    assert verdict.eligible == (not verdict.failures)


def _reporter(row: Row) -> Reporter:
    def years(name: str) -> int | None:
        return int(row[name]) if row[name] else None

    scope = Scope(
        row["reporter"],
        1,
        frozenset(row["exams"].split()),
        years("min_age"),
        years("max_age"),
        frozenset(row["settings"].split()) or None,
        frozenset(row["excludes"].split()),
        not row["exams"],
        FIRST,
        LAST,
    )
    grant = Grant(1, scope, Level[row["level"].upper()], None, None, None, FIRST, LAST)
    entitled = (
        Entitlement(1, "RXA", "own_employer", True, True, FIRST, LAST),
        Entitlement(2, "RXB", "staff_passport", False, True, FIRST, LAST),
        Entitlement(3, "RXC", "staff_passport", True, True, FIRST, YESTERDAY),
        Entitlement(4, "RXD", "honorary_contract", True, False, FIRST, LAST),
    )
    registered = Registration(REGISTER[row["profession"]], LAST)
    return Reporter(1, row["reporter"], row["what"], row["profession"], "any", {}, (registered,), entitled, (grant,))


def _work(row: Row) -> Work:
    codes = [None if code == "?" else code for code in row["exams"].split("+") if code]
    named = row["flags"].split("+") if row["flags"] else []
    unknown = FLAGS if named == ["?"] else {flag[1:] for flag in named if flag.startswith("?")}
    so = frozenset(flag for flag in named if not flag.startswith("?"))
    return Work(
        row["trust"],
        tuple(Exam(code, code not in _MR) for code in codes),
        None if row["age"] == "?" else int(row["age"]),
        None if row["setting"] == "?" else row["setting"],
        so,
        FLAGS - so - unknown,
    )
