"""The index of who may read which profile always agrees with the rule."""

from __future__ import annotations

import random
from datetime import date, timedelta

import pytest
from sqlalchemy import insert, text

from allocation.configuration.recut import recut
from allocation.eligibility import Exam, Work, judge
from allocation.workforce import index_new_profiles, load_reporters, rebuild_index
from tests.conftest import NOW, Database
from worklist.db.tables.people import entitlement, registration, reporter, scope_grant, scope_of_practice
from worklist.exams.catalogue import profile_id_of, rules_in_force
from worklist.profile import profile_of

TODAY = NOW.date()
IONISING = {"XCHES": True, "XHANL": True, "XKNEL": True, "CHEAD": True, "MHEAD": False}
CODES = tuple(IONISING)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_index_always_agrees_with_the_rule(network: Database, seed: int) -> None:
    chance = random.Random(seed)
    _random_people(network, chance)
    works = [_random_work(chance) for _ in range(120)]
    with network.app.begin() as connection:
        recut(connection)
        cut = rules_in_force(connection).cut
        profiles = {}
        for half, index in ((works[:60], rebuild_index), (works[60:], index_new_profiles)):
            for work in half:
                codes = [exam.code for exam in work.exams]
                found = profile_of(codes, work.age_years, work.setting, work.flags, work.cleared_flags, cut)
                profiles[work] = profile_id_of(connection, found, [exam.ionising for exam in work.exams])
            index(connection)
        indexed = {tuple(row) for row in connection.execute(_INDEXED)}
        everyone = load_reporters(connection)
    agreed = 0
    for who in everyone.values():
        for work in works:
            verdict = judge(who, work, NOW)
            levels = {level for (r, p, t, level) in indexed if (r, p, t) == (who.id, profiles[work], work.trust)}
            assert levels == ({verdict.level.name.lower()} if verdict.level else set()), (who.code, work)
            agreed += verdict.eligible
    assert agreed > 50


def _random_work(chance: random.Random) -> Work:
    codes = chance.sample([*CODES, None], chance.choice((0, 1, 1, 1, 2)))
    return Work(
        chance.choice(("RXA", "RXB")),
        tuple(Exam(code, True if code is None else IONISING[code]) for code in codes),
        chance.choice((None, chance.randrange(100))),
        chance.choice((None, "gp", "emergency", "inpatient")),
        frozenset(chance.sample(["research", "nai"], chance.choice((0, 0, 1, 2)))),
        frozenset(chance.sample(["research", "nai"], chance.choice((0, 1, 2, 2)))),
    )


def _random_people(database: Database, chance: random.Random) -> None:
    """Write random scopes, and reporters who hold some of them."""

    def limit() -> int | None:
        return chance.choice((None, None, chance.randrange(90)))

    def some_settings() -> list[str] | None:
        return chance.choice((None, None, chance.sample(["gp", "emergency", "inpatient"], 2)))

    def days() -> dict[str, date]:
        before, after = chance.choice((-400, -1, 0, 0, 1)), chance.choice((-1, 0, 1, 400, 400))
        return {
            "valid_from": TODAY + timedelta(days=before - 400 * chance.randrange(2)),
            "valid_until": TODAY + timedelta(days=after + 400 * chance.randrange(2)),
        }

    with database.owner.begin() as connection:
        scopes = connection.scalars(
            insert(scope_of_practice).returning(scope_of_practice.c.id),
            [
                {
                    "code": f"random-{number}",
                    "version": 1,
                    "name": "random",
                    "exam_codes": sorted(chance.sample(CODES, chance.randrange(1, 5))),
                    "min_age_years": limit(),
                    "max_age_years": limit(),
                    "settings": some_settings(),
                    "excluded_flags": chance.choice(([], ["nai"], ["nai", "research"])),
                    "classifies_unmapped": chance.random() < 0.3,
                    "signed_by": "test",
                    **days(),
                }
                for number in range(10)
            ],
        ).all()
        for number in range(8):
            profession = chance.choice(("radiologist", "radiographer"))
            who = connection.execute(
                insert(reporter)
                .values(code=f"random-{number}", name="Random", profession=profession, grade="consultant")
                .returning(reporter.c.id)
            ).scalar_one()
            body = "GMC" if profession == "radiologist" else "HCPC"
            connection.execute(
                insert(registration).values(
                    reporter_id=who,
                    body=body,
                    number="1",
                    valid_until=TODAY + timedelta(days=chance.choice((-1, 0, 9))),
                )
            )
            for trust in ("RXA", "RXB"):
                connection.execute(
                    insert(entitlement).values(
                        reporter_id=who,
                        trust_ods=trust,
                        basis="staff_passport",
                        operator=chance.random() < 0.7,
                        system_access=chance.random() < 0.9,
                        signatory="test",
                        **days(),
                    )
                )
            for scope in chance.sample(list(scopes), 4):
                connection.execute(
                    insert(scope_grant).values(
                        reporter_id=who,
                        scope_id=scope,
                        level=chance.choice(("trainee", "preceptee", "autonomous")),
                        signatory="test",
                        min_age_years=limit(),
                        max_age_years=limit(),
                        settings=some_settings(),
                        suspended_at=chance.choice((None, None, None, NOW)),
                        **days(),
                    )
                )


_INDEXED = text(
    "SELECT rp.reporter_id, rp.profile_id, rt.trust_ods, rp.level FROM reporter_profile rp"
    " JOIN profile p ON p.id = rp.profile_id"
    " JOIN reporter_trust rt ON rt.reporter_id = rp.reporter_id AND rt.ionising = p.ionising"
    " WHERE rp.valid_until > radpool_now() AND rt.valid_until > radpool_now()"
)
