"""A random history of a network's work, as rows of the database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, text, update

from insight.filters import Dimension, Filters
from tests.conftest import Database, set_clock
from worklist.db.tables.claims import claim, report
from worklist.db.tables.network import profile, profile_indexed
from worklist.db.tables.pay import outsource_price, pay_line
from worklist.db.tables.people import engagement, reporter, reporter_profile, reporter_trust, reporting_session
from worklist.db.tables.work import item, item_exam, patient, reading

TRUSTS = ("RXA", "RXB")
MODALITIES = ("XR", "XR", "CT", "MR", None)
SETTINGS = ("emergency", "gp", "inpatient", None)
URGENCIES = ("emergency", "routine", None)
WAITING_STATES = ("arriving", "ready", "on_hold", "in_progress", "preliminary", "recalled", "outsourced", "returned")
REPORTED_STATES = ("verified", "addendum", "reported_elsewhere")


def make_history(database: Database, seed: int, now: datetime, *, items: int = 220) -> None:
    """Fill a network with items in every state, their readings, reports, sessions and pay, around `now`."""
    random = Random(seed)
    set_clock(database.owner, now)
    with database.owner.begin() as connection:
        profiles = _make_index(connection, random, now)
        made = _make_items(connection, random, now, profiles, items)
        _make_exams(connection, random, made)
        sessions = _make_sessions(connection, now)
        _make_readings_and_reports(connection, random, made, sessions)
        _make_pay(connection, random)
        _make_prices(connection, now)


def random_filters(random: Random, now: datetime, supported: Sequence[Dimension]) -> Filters:
    from_at = random.choice([None, now - timedelta(days=random.randrange(10, 80))])
    to_at = random.choice([None, now - timedelta(days=random.randrange(0, 9))])
    return Filters(
        trust=random.choice([None, None, *TRUSTS]),
        modality=random.choice([None, None, "XR", "CT", "US"]),
        setting=random.choice([None, None, None, "gp", "emergency"]),
        from_at=from_at,
        to_at=to_at,
        by=tuple(random.sample(supported, random.randrange(0, min(4, len(supported) + 1)))),
    )


def _make_index(connection: Connection, random: Random, now: datetime) -> list[int]:
    """Profiles, most of them indexed, and an index of eligibility in which some rows have run out."""
    made = connection.execute(
        insert(profile).returning(profile.c.id),
        [
            {"key": f"made-{n}", "exam_groups": [], "unmapped": False, "ionising": n % 2 == 0, "flags": []}
            for n in range(8)
        ],
    )
    profiles = list(made.scalars())
    connection.execute(insert(profile_indexed), [{"profile_id": one} for one in profiles[:6]])
    reporters = list(connection.scalars(select(reporter.c.id).order_by(reporter.c.code)))
    connection.execute(delete(reporter_trust))

    def until() -> datetime:
        return now + timedelta(days=random.choice([-3, 30, 90]))

    trusts = [(one, trust, flag) for one in reporters for trust in TRUSTS for flag in (False, True)]
    connection.execute(
        insert(reporter_trust),
        [
            {"reporter_id": one, "trust_ods": trust, "ionising": flag, "valid_until": until()}
            for one, trust, flag in random.sample(trusts, 9)
        ],
    )
    pairs = [(one, number) for one in reporters for number in profiles]
    connection.execute(
        insert(reporter_profile),
        [
            {
                "reporter_id": one,
                "profile_id": number,
                "level": random.choice(["trainee", "autonomous"]),
                "valid_until": until(),
            }
            for one, number in random.sample(pairs, 18)
        ],
    )
    connection.execute(
        update(reporter).where(reporter.c.id == random.choice(reporters)).values(suspended_at=now - timedelta(days=1))
    )
    return profiles


def _make_items(
    connection: Connection, random: Random, now: datetime, profiles: list[int], count: int
) -> Sequence[Row[Any]]:
    patients = {
        trust: connection.execute(insert(patient).values(trust_ods=trust).returning(patient.c.id)).scalar_one()
        for trust in TRUSTS
    }
    states = ("ordered", "cancelled", *WAITING_STATES, *WAITING_STATES, *REPORTED_STATES * 3)
    values = [_one_item(random, now, profiles, patients, random.choice(states)) for _ in range(count)]
    return connection.execute(insert(item).returning(item, sort_by_parameter_order=True), values).all()


def _one_item(
    random: Random, now: datetime, profiles: list[int], patients: dict[str, int], state: str
) -> dict[str, Any]:
    trust = random.choice(TRUSTS)
    start: datetime | None = now - timedelta(minutes=round(random.choice([300, 3000, 30000, 90000]) * random.random()))
    if state in {"ordered", "arriving"} or (state == "reported_elsewhere" and random.random() < 0.2):
        start = None
    created = (start or now - timedelta(hours=random.choice([1, 30, 900]))) + timedelta(minutes=7)
    hours = random.choice([1, 4, 72, 336])
    due = None if start is None else start + timedelta(hours=hours)
    reported = None
    if state in REPORTED_STATES:
        began = start or created
        took = random.choice([timedelta(hours=hours), (now - began) * random.random()])
        reported = began + took
    return {
        "trust_ods": trust,
        "patient_id": patients[trust],
        "state": state,
        "modality": random.choice(MODALITIES),
        "setting": random.choice(SETTINGS),
        "urgency": random.choice(URGENCIES),
        "clock_start_at": start,
        "due_at": due,
        "hard_limit_at": None if due is None else due + timedelta(hours=hours),
        "reporting_minutes": None if start is None else Decimal(random.randrange(4, 120)) / 4,
        "profile_id": None if start is None else random.choice(profiles),
        "created_at": created,
        "reported_at": reported,
    }


def _make_exams(connection: Connection, random: Random, made: Sequence[Row[Any]]) -> None:
    values = [
        {
            "item_id": one.id,
            "position": position,
            "exam_code": random.choice(["XCHES", "XHANL", None]),
            "mapped_by": "requested-code",
        }
        for one in made
        for position in range(random.randrange(0, 3))
    ]
    connection.execute(insert(item_exam), values)


def _make_sessions(connection: Connection, now: datetime) -> dict[int, list[int | None]]:
    """Sessions of every kind for every reporter, and no session: by reporter."""
    found: dict[int, list[int | None]] = defaultdict(lambda: [None])
    for post in connection.execute(select(engagement)).all():
        for number, kind in enumerate(("job_planned", "insourced", "insourced", "on_call", "duty")):
            starts_at = now - timedelta(days=200 + number)
            values = {
                "code": f"{post.code}-{number}",
                "reporter_id": post.reporter_id,
                "engagement_id": post.id,
                "kind": kind,
                "starts_at": starts_at,
                "ends_at": starts_at + timedelta(hours=4),
                "location": "home",
            }
            made = insert(reporting_session).values(values).returning(reporting_session.c.id)
            found[post.reporter_id].append(connection.execute(made).scalar_one())
    return found


def _make_readings_and_reports(
    connection: Connection, random: Random, made: Sequence[Row[Any]], sessions: dict[int, list[int | None]]
) -> None:
    for one in made:
        if one.profile_id is None or random.random() < 0.05:
            continue
        done = one.state in REPORTED_STATES
        checked = one.state == "preliminary" or (done and random.random() < 0.3)
        first = _reading(connection, random, one, "first", "done" if done or checked else _left(random))
        if done and random.random() < 0.2:
            sample = _reading(connection, random, one, "sample", "done")
            _report(connection, random, one, sample, 1, "verified", sessions)
        if one.state in {"verified", "addendum"} and random.random() < 0.9:
            if checked:
                check = _reading(connection, random, one, "check", "done")
                _report(connection, random, one, first, 1, "preliminary", sessions)
                _report(connection, random, one, check, 1, "verified", sessions)
            else:
                if random.random() < 0.2:
                    _report(connection, random, one, first, 1, "verified", sessions, superseded=True)
                _report(connection, random, one, first, 2, "verified", sessions)
            if one.state == "addendum":
                _report(connection, random, one, first, 3, "addendum", sessions)
            if random.random() < 0.1:
                _report(connection, random, one, first, 4, "verified", sessions)
        elif one.state == "preliminary":
            _reading(connection, random, one, "check", _left(random))
            _report(connection, random, one, first, 1, "preliminary", sessions)


def _left(random: Random) -> str:
    return random.choice(["open", "open", "held"])


def _reading(connection: Connection, random: Random, one: Row[Any], purpose: str, state: str) -> int:
    for barred in random.sample(range(1, 5), random.randrange(0, 3)):
        kind = random.choice(["has-read", "conflict-of-interest", "skipped"])
        code = ("cole", "hart", "reed", "tran")[barred - 1]
        connection.execute(
            text(
                "INSERT INTO item_exclusion (item_id, reporter_id, kind) SELECT :item, id, :kind FROM reporter"
                " WHERE code = :code ON CONFLICT DO NOTHING"
            ),
            {"item": one.id, "kind": kind, "code": code},
        )
    values = {
        "item_id": one.id,
        "purpose": purpose,
        "state": state,
        "trust_ods": one.trust_ods,
        "profile_id": one.profile_id,
        "due_at": one.due_at,
        "reporting_minutes": one.reporting_minutes,
        "for_radiologist": random.random() < 0.2,
    }
    return int(connection.execute(insert(reading).values(values).returning(reading.c.id)).scalar_one())


def _report(
    connection: Connection,
    random: Random,
    one: Row[Any],
    reading_id: int,
    token: int,
    status: str,
    sessions: dict[int, list[int | None]],
    *,
    superseded: bool = False,
) -> None:
    reporter_id = random.choice(sorted(sessions))
    at = one.reported_at or one.created_at
    held = {
        "reading_id": reading_id,
        "item_id": one.id,
        "reporter_id": reporter_id,
        "session_id": random.choice(sessions[reporter_id]),
        "token": token,
        "claimed_at": at,
        "expires_at": at,
        "ended_at": at,
        "end_reason": "reported",
    }
    claim_id = connection.execute(insert(claim).values(held).returning(claim.c.id)).scalar_one()
    filed = {
        "reading_id": reading_id,
        "item_id": one.id,
        "claim_id": claim_id,
        "reporter_id": reporter_id,
        "status": status,
        "superseded": superseded,
        "received_at": at,
    }
    connection.execute(insert(report).values(filed))


def _make_pay(connection: Connection, random: Random) -> None:
    """Lines for the verified reports of insourced sessions, one or two each, some of them reversed."""
    found = connection.execute(
        text(
            "SELECT r.*, c.session_id, s.engagement_id, g.payer, i.trust_ods, (SELECT min(id) FROM rate_card) AS card"
            " FROM report r JOIN claim c ON c.id = r.claim_id JOIN reporting_session s ON s.id = c.session_id"
            " JOIN engagement g ON g.id = s.engagement_id JOIN item i ON i.id = r.item_id"
            " WHERE s.kind = 'insourced' AND r.status = 'verified' AND NOT r.superseded"
        )
    ).all()
    position = 0
    for one in found:
        reversed_lines = random.choice([0, 0, 0, 1, 2])
        for number in range(random.choice([1, 1, 2])):
            position += 1
            line = _line(one, f"tariff-{number}", random.randrange(100, 6000), position)
            line_id = connection.execute(insert(pay_line).values(line).returning(pay_line.c.id)).scalar_one()
            if number < reversed_lines:
                back = {**line, "kind": "reversal", "amount_pence": -line["amount_pence"], "reverses": line_id}
                connection.execute(insert(pay_line).values(back))


def _line(one: Row[Any], tariff_code: str, amount_pence: int, position: int) -> dict[str, Any]:
    return {
        "kind": "earning",
        "reading_id": one.reading_id,
        "report_id": one.id,
        "claim_id": one.claim_id,
        "reporter_id": one.reporter_id,
        "session_id": one.session_id,
        "engagement_id": one.engagement_id,
        "payer": one.payer,
        "host": one.trust_ods,
        "tariff_code": tariff_code,
        "units": 1,
        "rate_pence": amount_pence,
        "multiplier_percent": 100,
        "window": "",
        "amount_pence": amount_pence,
        "rate_card_id": one.card,
        "derivation": [],
        "event_position": position,
        "earned_at": one.received_at,
    }


def _make_prices(connection: Connection, now: datetime) -> None:
    """Prices for XR that rose, for CT only lately, for MR never."""
    connection.execute(delete(outsource_price))
    today: date = now.astimezone(UTC).date()
    connection.execute(
        insert(outsource_price),
        [
            {"modality": modality, "valid_from": today - timedelta(days=days), "amount_pence": pence, "source": "test"}
            for modality, days, pence in (("XR", 900, 450), ("XR", 20, 550), ("XR", -5, 9999), ("CT", 25, 4750))
        ],
    )
