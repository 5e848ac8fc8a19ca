"""Has a day told, in order or shuffled and repeated, and gives all that is left by it.

HL7 comes as messages, which the real listener reads; objects and performed steps as the DICOM side hands them on.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import text

from hl7_listener.desk import Sent
from hl7_listener.kept import take_kept
from hl7_listener.limits import Limits
from hl7_listener.service import Service
from tests.conftest import NOW, Database, set_clock
from tests.hl7_listener.ris_peer import PEER
from tests.worklist.a_day import SENDERS, Fact, Message, Received
from worklist.intake.completion import complete_quiet_studies
from worklist.intake.notices import note_procedure_step
from worklist.intake.objects import Arrival, Fate, take_in
from worklist.intake.placing import place_noted


def shuffled(facts: Sequence[Fact], chance: random.Random) -> list[Fact]:
    """Give the facts in another order, some of them again, and some long after all others."""
    again = [*facts, *chance.choices(facts, k=len(facts) // 3)]
    chance.shuffle(again)
    late = [one for one in again if chance.random() < 0.05]
    return [*(one for one in again if one not in late), *late]


def tell(database: Database, facts: Sequence[Fact], chance: random.Random | None = None) -> dict[str, list[Any]]:
    """Let facts come and give what they leave; with `chance` studies are looked at, and time passes, in between."""
    set_clock(database.owner, NOW)
    service = Service(database.app, Limits())
    waiting: list[Received] = []
    for one in facts:
        if isinstance(one, Received) and chance and chance.random() < 0.6:
            waiting.append(one)
            continue
        _take(database, service, one, waiting)
        waiting = []
        if chance and chance.random() < 0.2:
            place_noted(database.app)
            complete_quiet_studies(database.app)
        if chance and chance.random() < 0.02:
            _pass(database, timedelta(minutes=chance.randint(1, 20)))
    _receive(database, waiting)
    set_clock(database.owner, NOW + timedelta(hours=12))
    for _ in range(2):
        place_noted(database.app, limit=10_000)
        take_kept(database.app)
        complete_quiet_studies(database.app, limit=10_000)
    return left_by(database)


def _take(database: Database, service: Service, one: Fact, before: Sequence[Received]) -> None:
    if isinstance(one, Received):
        _receive(database, [*before, one])
        return
    _receive(database, before)
    if isinstance(one, Message):
        answer = service.answer(Sent(one.octets, PEER))
        assert b"MSA|AA|" in answer, (one.octets, answer)
    else:
        with database.app.begin() as connection:
            note_procedure_step(connection, SENDERS[one.trust], one.step)


def _receive(database: Database, objects: Sequence[Received]) -> None:
    if objects:
        with database.app.begin() as connection:
            fates = take_in(connection, [Arrival(SENDERS[one.trust], one.received) for one in objects])
        assert {one.fate for one in fates} <= {Fate.NEW, Fate.KNOWN}


def _pass(database: Database, by: timedelta) -> None:
    with database.owner.begin() as connection:
        connection.execute(text("UPDATE test_clock SET moved_by = moved_by + :by"), {"by": by})


def left_by(database: Database) -> dict[str, list[Any]]:
    """Give the whole visible state without our numbers and times of receipt; what images left unnamed is none of it."""
    with database.owner.connect() as connection:
        return {
            name: sorted((tuple(_plain(value) for value in row) for row in connection.execute(text(query))), key=repr)
            for name, query in _LEFT.items()
        }


def _plain(value: Any) -> Any:
    return re.sub(r"\b(study|merge) \d+", r"\1 N", value) if isinstance(value, str) else value


_ITEM = (
    " FROM item i JOIN order_identity o ON o.item_id = i.id LEFT JOIN patient p ON p.id = i.patient_id"
    " LEFT JOIN patient n ON n.id = i.merged_from_id LEFT JOIN profile f ON f.id = i.profile_id"
)


_SHOWN = " NOT (i.state = 'cancelled' AND o.accession_number IS NULL)"


#: How a study without accession number is known here: by the first of its UIDs.
_NAME = (
    "coalesce(o.accession_number, (SELECT min(d.study_instance_uid) FROM item_study l JOIN study_identity d"
    " ON d.study_id = l.study_id WHERE l.item_id = i.id))"
)


_LEFT = {
    "items": (
        f"SELECT i.trust_ods, {_NAME}, i.state, i.modality, i.age_years, i.exam_date, i.setting, i.urgency, i.flags,"
        " i.clock_start_at, i.clock_start_source, i.due_at, i.hard_limit_at, i.target_rule, i.report_due_at,"
        " i.reporting_minutes, f.key, i.arriving, i.state_reason, i.reported_at, i.reported_source, i.verified_at,"
        " i.not_offered_rule, p.identifier, n.identifier, o.placer_order_number, o.study_instance_uid"
        f"{_ITEM} WHERE {_SHOWN}"
    ),
    "exams": (
        f"SELECT i.trust_ods, {_NAME}, e.position, e.exam_code, e.mapped_by, e.reporting_minutes, s.code, s.description"
        f"{_ITEM} JOIN item_exam e ON e.item_id = i.id"
        " JOIN exam_as_sent s ON s.item_id = i.id AND s.position = e.position"
        f" WHERE {_SHOWN}"
    ),
    "orders": (
        f"SELECT i.trust_ods, {_NAME}, w.control, w.setting, w.urgency, w.exams, w.clinical_question, w.requester,"
        " w.call_back, w.needed_by_at, w.needed_by_as_sent, w.referral_date, w.message_at, w.stated, q.identifier"
        f"{_ITEM} JOIN item_order w ON w.item_id = i.id LEFT JOIN patient q ON q.id = w.patient_id"
    ),
    "readings": (
        f"SELECT i.trust_ods, {_NAME}, r.purpose, r.state, r.due_at, r.reporting_minutes, g.key{_ITEM}"
        " JOIN reading r ON r.item_id = i.id LEFT JOIN profile g ON g.id = r.profile_id WHERE r.state <> 'withdrawn'"
    ),
    "studies": (
        "SELECT d.trust_ods, d.study_instance_uid, q.identifier, s.modalities, s.series_count, s.instance_count,"
        " s.facts, s.acquisition_ended_at, s.acquisition_ended_source, s.completed_at IS NOT NULL, s.performed_by,"
        " s.prior_because, d.stated FROM study s JOIN study_identity d ON d.study_id = s.id"
        " JOIN patient q ON q.id = s.patient_id"
    ),
    "joined": (
        f"SELECT i.trust_ods, {_NAME}, d.study_instance_uid{_ITEM} JOIN item_study l ON l.item_id = i.id"
        " JOIN study_identity d ON d.study_id = l.study_id"
    ),
    "patients": (
        "SELECT p.trust_ods, p.issuer, p.identifier, p.family_name, p.given_name, p.name_key, p.birth_date, p.sex,"
        " p.nhs_number, p.nhs_number_status, p.nhs_number_trace, p.stated_by_ris, p.stated, s.identifier FROM patient p"
        " LEFT JOIN patient s ON s.id = p.merged_into"
    ),
    "merges": (
        "SELECT r.trust_ods, r.identifier, s.identifier, m.kind, m.message_at, m.standing, m.unmerged_at"
        " FROM patient_merge m JOIN patient r ON r.id = m.retired_id JOIN patient s ON s.id = m.surviving_id"
    ),
    "exam ends": (
        f"SELECT i.trust_ods, {_NAME}, e.message_at, e.ended_at, e.source{_ITEM} JOIN exam_end e ON e.item_id = i.id"
    ),
    "read at home": (
        f"SELECT i.trust_ods, {_NAME}, h.being_read, h.said_at, h.until{_ITEM} JOIN home_reading h ON h.item_id = i.id"
    ),
    "steps": "SELECT trust_ods, step_digest, status, ended_at, ended_source FROM performed_step",
    "exceptions": (
        f"SELECT e.trust_ods, e.kind, e.source_ae_title, e.detail, {_NAME} FROM worklist_exception e"
        " LEFT JOIN item i ON i.id = e.item_id LEFT JOIN order_identity o ON o.item_id = i.id"
        f" WHERE e.closed_at IS NULL AND (i.id IS NULL OR {_SHOWN})"
    ),
}
