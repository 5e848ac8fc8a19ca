"""The rules in force are read again exactly when something changed them."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import event, text

from tests.conftest import Database
from worklist.exams.catalogue import Rules, rules_in_force
from worklist.exams.codes import Catalogue, map_exams

DAY = date(2026, 6, 10)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE exam SET reporting_minutes = 99",
        "INSERT INTO exam_alias (kind, value, exam_code, opened_by, reason)"
        " SELECT 'description', 'a new word', min(code), 'test', 'test' FROM exam",
        "UPDATE exam_alias SET valid_to = '2026-06-09', closed_at = radpool_now(), closed_by = 'test'",
        "INSERT INTO minutes_rule (code, modality, minutes, confidence, source, valid_from)"
        " VALUES ('xr', 'XR', 2, 'proposed', 'test', '2020-01-01')",
        "UPDATE minutes_modifier SET percent = 70",
        "UPDATE target_rule SET source = 'another'",
        "INSERT INTO profile_cut (age_cuts, group_of_exam) VALUES ('{0,7}', '{}')",
    ],
)
def test_a_change_of_any_of_them_is_seen_by_the_next_transaction(network: Database, change: str) -> None:
    with network.app.begin() as connection:
        before = rules_in_force(connection)
    with network.owner.begin() as connection:
        connection.execute(text(change))
    with network.app.begin() as connection:
        after = rules_in_force(connection)
        assert after is not before
        assert told(after) != told(before) or "UPDATE exam_alias" in change  # the small network has no words
        assert rules_in_force(connection) is after


def test_a_change_that_is_rolled_back_leaves_them_and_is_not_kept(network: Database) -> None:
    with network.app.connect() as connection:
        before = rules_in_force(connection)
        connection.execute(text("UPDATE exam SET reporting_minutes = 99"))
        assert {one.reporting_minutes for one in rules_in_force(connection).exams} == {99}
        connection.rollback()
        assert rules_in_force(connection).version == before.version
        assert rules_in_force(connection).exams == before.exams


def test_rules_that_stand_are_not_read_again(network: Database) -> None:
    statements: list[str] = []
    with network.app.begin() as connection:
        rules_in_force(connection)
    event.listen(network.app, "before_cursor_execute", lambda *words: statements.append(words[2]))
    with network.app.begin() as connection:
        rules_in_force(connection)
    assert len(statements) == 1
    assert "rules_version" in statements[0]


def test_two_databases_have_each_their_own(network: Database, empty: Database) -> None:
    with network.app.begin() as connection, empty.app.begin() as other:
        assert rules_in_force(connection).exams
        assert not rules_in_force(other).exams


def test_the_catalogue_of_a_day_has_what_is_in_force_then_and_the_words_of_the_trust(network: Database) -> None:
    with network.owner.begin() as connection:
        first, second = connection.scalars(text("SELECT code FROM exam ORDER BY code LIMIT 2"))
        connection.execute(text("UPDATE exam SET valid_to = '2026-06-09' WHERE code = :code"), {"code": second})
        connection.execute(
            text(
                "INSERT INTO exam_alias (trust_ods, kind, value, exam_code, opened_by, reason) VALUES"
                " (NULL, 'description', 'WORD', :first, 'test', 'test'),"
                " ('RXA', 'description', 'WORD', :second, 'test', 'test')"
            ),
            {"first": first, "second": second},
        )
    with network.app.begin() as connection:
        rules = rules_in_force(connection)
    assert mapped(rules.catalogue("RXA"), date(2026, 6, 9)) == second
    assert mapped(rules.catalogue("RXA"), DAY) is None
    assert mapped(rules.catalogue("RXB"), DAY) == first


def told(rules: Rules) -> tuple[object, ...]:
    return rules.exams, rules.aliases, rules.targets, rules.cut, rules.minutes, rules.modifiers


def mapped(catalogue: Catalogue, on: date) -> str | None:
    (found,) = map_exams([], [], "Word", [], catalogue, on)
    return found.exam.code if found.exam else None
