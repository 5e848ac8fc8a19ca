"""Orders that are taken in together leave what they leave when each is taken by itself; what is not plain is left."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from tests.conftest import Database, set_clock
from tests.worklist.arrivals import PATIENT, acquired, an_object, an_order, receive, take
from worklist.intake.new_orders import receive_new_orders
from worklist.intake.order import pack, said_in
from worklist.intake.orders import Message, Order, OrderControl, Outcome
from worklist.intake.study import Code, PatientAsSent
from worklist.local_time import LocalTime
from worklist.patients.merges import Merge, receive_merges
from worklist.patients.merging import Kind
from worklist.turnaround.targets import Setting, Urgency

_NEEDED_AT = datetime(2026, 6, 12, 8, 30, tzinfo=UTC)


def take_together(engine: Engine, orders: Sequence[Order]) -> list[Outcome | None]:
    with engine.begin() as connection:
        return receive_new_orders(connection, orders)


def an_order_of(number: int, **values: Any) -> Order:
    """An order of an accession and a patient of its own."""
    patient = PatientAsSent(f"H{number}", "RXA", None, "Test", f"Patient{number}", date(1980, 1, 1), "F")
    return an_order(**{"accession_number": f"A{number}", "patient": patient, **values})


def state(database: Database) -> list[tuple[Any, ...]]:
    """All that orders left, without ids and times of receipt."""
    with database.owner.connect() as connection:
        return [
            tuple(row)
            for statement in (_ITEMS, _PATIENTS, _DOUBTS, _EVENTS, _AUDITED)
            for row in connection.execute(text(statement))
        ]


@pytest.mark.parametrize("seed", range(6))
def test_together_and_one_by_one_leave_the_same(
    clone: Callable[[str], Database], network_template: str, seed: int
) -> None:
    chosen = random.Random(seed)
    orders = [_any_order(chosen, number) for number in range(50)]
    orders += chosen.sample(orders, 10)
    alone, together = clone(network_template), clone(network_template)
    for database in (alone, together):
        set_clock(database.owner)
        take(database.app, *orders[:8])
    in_order: list[Order] = []
    outcomes: list[Outcome] = []
    for first in range(8, len(orders), 13):
        lot = orders[first : first + 13]
        taken = list(zip(take_together(together.app, lot), lot, strict=True))
        left = [order for outcome, order in taken if outcome is None]
        outcomes += [*(outcome for outcome, _ in taken if outcome), *take(together.app, *left)]
        in_order += [*(order for outcome, order in taken if outcome), *left]
    assert take(alone.app, *in_order) == outcomes
    assert state(together) == state(alone)


def test_plain_orders_of_several_trusts_are_taken_in_a_few_statements(network: Database) -> None:
    orders = [
        an_order_of(
            number, message=Message(f"RIS_{trust}", f"RX{trust}", datetime(2026, 6, 10, 9, tzinfo=UTC), f"M{n}")
        )
        for n, (number, trust) in enumerate((number, trust) for number in range(30) for trust in "AB")
    ]
    statements: list[str] = []
    event.listen(network.app, "before_cursor_execute", lambda *told: statements.append(told[2]))
    assert take_together(network.app, orders) == [Outcome.APPLIED] * 60
    assert len(statements) < 24
    with network.owner.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM item WHERE state = 'ordered'")) == 60
        assert connection.scalar(text("SELECT count(*) FROM event WHERE item_id IS NOT NULL")) == 120


def test_everything_that_an_order_says_is_kept(network: Database) -> None:
    full = an_order_of(
        1,
        setting=Setting.INPATIENT,
        urgency=Urgency.URGENT,
        exams=(Code("XCHES", "NICIP", 'XR "Chest" \\ é'), Code("", "", "words alone")),
        clinical_question="Pneumonia? It's {odd} : \\n",
        placer_order_number="P1",
        study_instance_uid="2.25.1",
        requester="Dr Test",
        call_back="bleep 1234",
        needed_by=LocalTime("202606120930", "Europe/London", 0, "OBR-27.5", _NEEDED_AT),
        referral_date=date(2026, 6, 1),
    )
    assert take_together(network.app, [full]) == [Outcome.APPLIED]
    [row] = [one for one in state(network) if one[0] == "item"]
    assert row[5:] == (
        *("2.25.1", "H1", "H1", "new", "inpatient", "urgent"),
        [["XCHES", "NICIP", 'XR "Chest" \\ é'], ["", "", "words alone"]],
        *("Pneumonia? It's {odd} : \\n", "Dr Test", "bleep 1234"),
        *(_NEEDED_AT, "202606120930", "Europe/London", 0, "OBR-27.5"),
        *(date(2026, 6, 1), full.message.made_at, pack(said_in(full, full.message.made_at, ()))),
    )


@pytest.mark.parametrize(
    "values",
    [
        {"control": OrderControl.CANCEL},
        {"patient": replace(PATIENT, identifier=None)},
        {"patient": replace(PATIENT, birth_date=date(2026, 6, 11))},
        {"faults": (("PID-7", "is not a date"),)},
        {"exam_ended": acquired(datetime(2026, 6, 10, 8, tzinfo=UTC))},
    ],
)
def test_what_has_to_be_weighed_is_left(network: Database, values: dict[str, Any]) -> None:
    assert take_together(network.app, [an_order_of(1, **values), an_order_of(2)]) == [None, Outcome.APPLIED]


def test_of_one_accession_or_one_patient_the_first_alone_is_taken(network: Database) -> None:
    first, second = an_order_of(1), an_order_of(2)
    again = replace(an_order_of(3), accession_number="A1")
    same = replace(an_order_of(4), patient=second.patient)
    assert take_together(network.app, [first, second, again, same]) == [Outcome.APPLIED, Outcome.APPLIED, None, None]


def test_what_images_or_an_earlier_order_opened_is_left(network: Database) -> None:
    receive(network.app, an_object(accession_number="A1"))
    take(network.app, an_order_of(2))
    later = an_order_of(2, message=replace(an_order().message, control_id="M9"))
    assert take_together(network.app, [an_order_of(1), an_order_of(2), later]) == [None, Outcome.REPEATED, None]


def test_a_patient_who_is_said_to_be_otherwise_or_is_merged_is_left(network: Database) -> None:
    take(network.app, *(an_order_of(number) for number in range(4)))
    with network.app.begin() as connection:
        made_at = datetime(2026, 6, 10, 9, 5, tzinfo=UTC)
        message = Message("RIS_A", "RXA", made_at, "MERGE")
        receive_merges(connection, [Merge(message, Kind.MERGE, an_order_of(2).patient, (("RXA", "H3"),))])
    more = [an_order(number, accession_number=f"B{number}", patient=an_order_of(number).patient) for number in range(4)]
    more[1] = replace(more[1], patient=replace(more[1].patient, family_name="Other"))
    assert take_together(network.app, more) == [Outcome.APPLIED, None, None, None]


def test_the_same_orders_by_several_at_once_are_taken_once(network: Database) -> None:
    orders = [an_order_of(number) for number in range(60)]

    def send(seed: int) -> list[Outcome | None]:
        return take_together(network.app, random.Random(seed).sample(orders, 40))

    with ThreadPoolExecutor(6) as pool:
        outcomes = Counter(one for outcomes in pool.map(send, range(6)) for one in outcomes)
    with network.owner.connect() as connection:
        opened = connection.scalar(text("SELECT count(*) FROM item"))
        assert connection.scalar(text("SELECT count(*) FROM item_order")) == opened
    assert outcomes[Outcome.APPLIED] == opened
    assert outcomes.total() == 240


def _any_order(chosen: random.Random, number: int) -> Order:
    """Some order of few accessions and patients, of which many meet what is known already."""
    trust = chosen.choice("AAB")
    made_at = datetime(2026, 6, 10, 9, tzinfo=UTC) + timedelta(minutes=chosen.randrange(6))
    who = chosen.randrange(30)
    patient = PatientAsSent(
        None if chosen.random() < 0.1 else f"H{who}",
        "RIS",
        chosen.choice([None, "9990000018"]) if who < 3 else None,
        chosen.choice(["Test", "Test", "Test", "Other"]),
        f"Patient{who}",
        date(1980, 1, 1 + who),
        "F",
    )
    return an_order(
        message=Message(f"RIS_{trust}", f"RX{trust}", made_at, f"M{number}"),
        accession_number=f"A{chosen.randrange(40)}",
        control=chosen.choices(list(OrderControl), (6, 3, 1))[0],
        patient=patient,
        urgency=chosen.choice([None, *Urgency]),
        setting=chosen.choice([None, *Setting]),
        study_instance_uid=chosen.choice([None, None, f"2.25.{chosen.randrange(40)}"]),
        exam_ended=acquired(made_at) if chosen.random() < 0.1 else None,
        faults=(("PID-7", "is not a date"),) if chosen.random() < 0.1 else (),
    )


_ITEMS = (
    "SELECT 'item', o.trust_ods, o.accession_number, o.placer_order_number, i.state, o.study_instance_uid,"
    " p.identifier, w.identifier,"
    " io.control, io.setting, io.urgency, io.exams, io.clinical_question, io.requester, io.call_back, io.needed_by_at,"
    " io.needed_by_as_sent, io.needed_by_zone, io.needed_by_fold, io.needed_by_source, io.referral_date, io.message_at,"
    " io.stated FROM item i JOIN order_identity o ON o.item_id = i.id JOIN patient p ON p.id = i.patient_id"
    " JOIN item_order io ON io.item_id = i.id LEFT JOIN patient w ON w.id = io.patient_id ORDER BY 2, 3"
)
_PATIENTS = (
    "SELECT 'patient', trust_ods, issuer, identifier, nhs_number, nhs_number_status, family_name, given_name, name_key,"
    " birth_date, sex, stated_by_ris, nhs_number_trace, stated, merged_into FROM patient ORDER BY 2, 3, 4, stated::text"
)
_DOUBTS = (
    "SELECT 'doubt', e.kind, e.trust_ods, o.accession_number, e.detail, e.occurrences FROM worklist_exception e"
    " LEFT JOIN order_identity o ON o.item_id = e.item_id ORDER BY 2, 3, 4, 5"
)
_EVENTS = (
    "SELECT 'event', e.trust_ods, o.accession_number, array_agg(row(e.kind, e.item_version, e.dimensions)::text"
    " ORDER BY e.id) FROM event e JOIN order_identity o ON o.item_id = e.item_id GROUP BY 2, 3 ORDER BY 2, 3"
)
_AUDITED = (
    "SELECT 'audit', o.accession_number, e.actor, e.action, count(*) FROM audit.entry e"
    " CROSS JOIN unnest(e.items) AS n (item_id) JOIN order_identity o USING (item_id) GROUP BY 2, 3, 4 ORDER BY 2, 3, 4"
)
