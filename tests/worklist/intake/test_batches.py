"""What a batch leaves behind is the same whatever the order of its objects, their repetition and the batching."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from tests.builders import shared
from tests.conftest import NOW, Database
from worklist.db import embedded
from worklist.intake.arrived import digest_of
from worklist.intake.objects import Arrival, Fate, Outcome, take_in
from worklist.intake.senders import Sender
from worklist.intake.study import PatientAsSent, ReceivedObject

_CT, _SC, _SR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.88.22"
_runs = itertools.count(10_000)


@dataclass(frozen=True)
class Sent:
    """One object as a PACS sends it; the numbers say which of a few values it states."""

    study: int
    series: int
    number: int
    accession: str | None
    patient: str | None
    issuer: str | None
    name: str | None
    birth_date: date | None
    modality: str | None
    sop_class: str
    study_date: date | None
    fault: bool
    source: str


_sent = st.builds(
    Sent,
    study=st.integers(0, 2),
    series=st.integers(0, 1),
    number=st.integers(0, 2),
    accession=st.sampled_from([None, "A", "B"]),
    patient=st.sampled_from([None, "P", "Q"]),
    issuer=st.sampled_from([None, "I"]),
    name=st.sampled_from([None, "Elm", "ELM", "Oak"]),
    birth_date=st.sampled_from([None, date(1980, 1, 2), date(2030, 1, 2)]),
    modality=st.sampled_from([None, "CT", "PT", "SR"]),
    sop_class=st.sampled_from([_CT, _CT, _SC, _SR, "1.2.3"]),
    study_date=st.sampled_from([None, date(2026, 6, 9), date(2026, 6, 10)]),
    fault=st.booleans(),
    source=st.sampled_from(["PACS_A", "PACS_A", "CT_A"]),
)


@pytest.fixture(scope="module")
def one(cluster: embedded.Cluster, network_template: str) -> Iterator[Database]:
    """A database for many runs, each with UIDs and numbers of its own, with a second source at RXA."""
    with shared(cluster, network_template) as database:
        with database.owner.begin() as connection:
            connection.execute(
                text(
                    "INSERT INTO source (ae_title, trust_ods, address, services)"
                    " VALUES ('CT_A', 'RXA', '127.0.0.1', '[]') ON CONFLICT DO NOTHING"
                )
            )
        yield database


@settings(max_examples=25)
@given(st.lists(_sent, min_size=1, max_size=14), st.integers(0, 2**32))
def test_objects_shuffled_repeated_and_batched_anew_leave_the_same_database(
    one: Database, sent: list[Sent], seed: int
) -> None:
    chance = random.Random(seed)
    once = next(_runs)
    with one.app.begin() as connection:
        take_in(connection, _arrivals(once, sent))
    expected = _state(one, once, sent)
    again = next(_runs)
    many = chance.sample(sent * 2, 2 * len(sent))
    while many:
        size = chance.randint(1, 6)
        with one.app.begin() as connection:
            take_in(connection, _arrivals(again, many[:size]))
        many = many[size:]
    assert _state(one, again, sent) == expected


def test_a_batch_gives_the_fate_of_each_object_in_its_place(one: Database) -> None:
    run, ct = next(_runs), _ordinary()
    other = replace(ct, study=1)
    arrivals = _arrivals(run, [ct, other, replace(ct, number=1), ct, replace(other, series=1)])
    with one.app.begin() as connection:
        fates = [each.fate for each in take_in(connection, arrivals)]
        assert fates == [Fate.NEW, Fate.NEW, Fate.NEW, Fate.KNOWN, Fate.NEW]
        assert {each.fate for each in take_in(connection, arrivals)} == {Fate.KNOWN}


def test_a_batch_of_nothing_is_nothing(one: Database) -> None:
    with one.app.begin() as connection:
        assert take_in(connection, []) == []


def test_a_study_that_another_trust_has_too_is_taken_with_the_rest_of_its_batch(one: Database) -> None:
    run, ct = next(_runs), _ordinary()
    mine, *_ = _arrivals(run, [ct])
    theirs = Arrival(Sender("PACS_B", "RXB", 3600), mine.received)
    fresh, *_ = _arrivals(run, [replace(ct, study=1)])
    with one.app.begin() as connection:
        assert take_in(connection, [mine, theirs, fresh]) == [Outcome(Fate.NEW)] * 3


def test_a_study_that_cannot_be_taken_undoes_no_other_and_its_values_are_not_told(
    one: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    run, ct = next(_runs), _ordinary()
    good, bad, new = _arrivals(run, [ct, replace(ct, study=1, number=1), replace(ct, study=2)])
    poison = replace(bad.received, study_description="Zephyrwood\x00")
    with one.app.begin() as connection:
        answers = take_in(connection, [good, Arrival(bad.sender, poison), new])
    assert [each.fate for each in answers] == [Fate.NEW, Fate.FAILED, Fate.NEW]
    assert answers[1].reason == "DataError"
    assert "Zephyrwood" not in "".join(capsys.readouterr())
    assert {study[0] for study in _state(one, run, [ct])["studies"]} == {"2.25.R.0", "2.25.R.2"}


def test_a_thousand_objects_of_a_series_are_as_few_statements_as_ten(one: Database) -> None:
    run, ct = next(_runs), _ordinary()
    with one.app.begin() as connection:
        take_in(connection, _arrivals(run, [ct]))
        few = _statements(connection, _arrivals(run, [replace(ct, number=number) for number in range(1, 10)]))
        many = _statements(connection, _arrivals(run, [replace(ct, number=number) for number in range(10, 1010)]))
    assert many == few < 20


def test_a_study_follows_the_accession_number_that_most_of_its_images_state(one: Database) -> None:
    run, ct = next(_runs), _ordinary()
    for number, accession in enumerate(("B", "A", "A")):
        with one.app.begin() as connection:
            take_in(connection, _arrivals(run, [replace(ct, number=number, accession=accession)]))
    state = _state(one, run, [ct])
    assert [(number, uids) for number, _, _, uids in state["items"]] == [("A", ("2.25.R.0",))]
    assert [(kind, detail) for kind, _, detail, *_ in state["doubts"]] == [
        ("contradictory-header", "AccessionNumber: 2 values in objects that should agree")
    ]


def test_after_its_completion_a_study_stays_with_its_item_and_its_patient(one: Database) -> None:
    run, ct = next(_runs), _ordinary()
    with one.app.begin() as connection:
        take_in(connection, _arrivals(run, [ct]))
        connection.execute(text("UPDATE study SET completed_at = radpool_now() WHERE completed_at IS NULL"))
    late = [replace(ct, number=number, accession="B", patient="Q") for number in (1, 2, 3)]
    with one.app.begin() as connection:
        take_in(connection, _arrivals(run, late))
    state = _state(one, run, [ct])
    assert [(number, patient) for number, _, patient, _ in state["items"]] == [("A", "P")]
    assert {detail.partition(":")[0] for _, _, detail, *_ in state["doubts"]} == {"AccessionNumber", "PatientID"}


def test_the_home_ris_s_word_on_a_patient_outranks_headers_that_come_later(one: Database) -> None:
    from worklist.intake.patients import record_patient

    run, ct = next(_runs), _ordinary()
    with one.app.begin() as connection:
        take_in(connection, _arrivals(run, [ct]))
        named = PatientAsSent(f"{run}P", "I", None, "Yew", "Una", None, None)
        record_patient(connection, "RXA", named, NOW, "M1")
        take_in(connection, _arrivals(run, [replace(ct, study=1, birth_date=date(1980, 1, 3))]))
    [patient] = _state(one, run, [ct])["patients"]
    assert patient[2:5] == ("Yew", "Una", date(1980, 1, 2))


def _ordinary() -> Sent:
    return Sent(0, 0, 0, "A", "P", "I", "Elm", date(1980, 1, 2), "CT", _CT, date(2026, 6, 10), False, "PACS_A")


def _arrivals(run: int, sent: Sequence[Sent]) -> list[Arrival]:
    return [Arrival(Sender(one.source, "RXA", 3600), _object(run, one)) for one in sent]


def _object(run: int, one: Sent) -> ReceivedObject:
    patient = PatientAsSent(
        identifier=one.patient and f"{run}{one.patient}",
        issuer=one.issuer,
        family_name=one.name,
        given_name="Sam" if one.name else None,
        birth_date=one.birth_date,
    )
    study = f"2.25.{run}.{one.study}"
    return ReceivedObject(
        calling_ae_title=one.source,
        sop_class_uid=one.sop_class,
        sop_instance_uid=f"{study}.{one.series}.{one.number}",
        study_instance_uid=study,
        series_instance_uid=f"{study}.{one.series}",
        modality=one.modality,
        accession_number=one.accession and f"{run}{one.accession}",
        patient=patient,
        study_date=one.study_date,
        header_faults=(("PatientAge", "is no age"),) if one.fault else (),
    )


def _statements(connection: Connection, arrivals: list[Arrival]) -> int:
    from sqlalchemy import event

    seen: list[str] = []
    listener = lambda *called: seen.append(called[2])  # noqa: E731
    event.listen(connection, "before_cursor_execute", listener)
    take_in(connection, arrivals)
    event.remove(connection, "before_cursor_execute", listener)
    return len(seen)


def _state(database: Database, run: int, sent: Sequence[Sent]) -> dict[str, Any]:
    """Everything that a run left, without ids and times, and with the run's own number taken out."""
    names = {
        digest_of(uid): uid.replace(str(run), "R")
        for one in sent
        for study in range(3)
        for uid in (
            f"2.25.{run}.{study}.{one.series}",
            f"2.25.{run}.{study}.{one.series}.{one.number}",
        )
    }

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return tuple(sorted((key, plain(one)) for key, one in value.items()))
        if isinstance(value, list):
            return tuple(plain(one) for one in value)
        if isinstance(value, str):
            return value.replace(f"{run}", "R" if value.startswith("2.25.") else "")
        return names.get(value, value)

    with database.owner.connect() as connection:
        return {
            name: sorted(
                (tuple(plain(value) for value in row) for row in connection.execute(text(query), {"run": f"{run}"})),
                key=repr,
            )
            for name, query in _STATE.items()
        }


_OF_RUN = "(SELECT study_id FROM study_identity WHERE study_instance_uid LIKE '2.25.' || :run || '.%')"
_STATE = {
    "studies": (
        "SELECT d.study_instance_uid, d.stated, p.identifier, p.issuer, s.source_ae_title, s.modalities,"
        " s.series_count, s.instance_count, s.facts FROM study s JOIN study_identity d ON d.study_id = s.id"
        f" JOIN patient p ON p.id = s.patient_id WHERE s.id IN {_OF_RUN}"
    ),
    "series": f"SELECT series_digest, modality, instance_count FROM series WHERE study_id IN {_OF_RUN}",
    "headers": (
        "SELECT s.series_digest, h.source_ae_title, h.is_image, h.modality, h.stated, h.objects FROM header_statement h"
        f" JOIN series s ON s.id = h.series_id WHERE h.study_id IN {_OF_RUN}"
    ),
    "objects": (
        "SELECT i.sop_digest, h.source_ae_title, h.stated, h.modality FROM instance i JOIN header_statement h"
        f" ON h.id = i.header_id WHERE h.study_id IN {_OF_RUN}"
    ),
    "patients": (
        "SELECT p.identifier, p.issuer, p.family_name, p.given_name, p.birth_date, p.name_key, p.nhs_number_status"
        f" FROM patient p WHERE p.id IN (SELECT patient_id FROM study WHERE id IN {_OF_RUN})"
        # An item that gave its images away keeps the patient whom it was opened for.
        " OR p.identifier LIKE :run || '%' AND p.id NOT IN (SELECT patient_id FROM item WHERE state = 'cancelled')"
    ),
    "items": (
        "SELECT o.accession_number, i.state, p.identifier,"
        " array_agg(d.study_instance_uid ORDER BY d.study_instance_uid) FROM item i"
        " JOIN order_identity o ON o.item_id = i.id JOIN patient p ON p.id = i.patient_id"
        " JOIN item_study l ON l.item_id = i.id JOIN study_identity d ON d.study_id = l.study_id"
        f" WHERE l.study_id IN {_OF_RUN} GROUP BY i.id, o.accession_number, i.state, p.identifier"
    ),
    "doubts": (
        "SELECT e.kind, e.source_ae_title, regexp_replace(e.detail, 'study [0-9]+', 'study'), e.occurrences,"
        " (SELECT array_agg(d.study_instance_uid ORDER BY d.study_instance_uid) FROM item_study l JOIN study_identity d"
        " ON d.study_id = l.study_id WHERE l.item_id = e.item_id) FROM worklist_exception e WHERE e.closed_at IS NULL"
        f" AND (e.item_id IN (SELECT item_id FROM item_study WHERE study_id IN {_OF_RUN})"
        f" OR substring(e.detail FROM 'study ([0-9]+)')::bigint IN {_OF_RUN})"
    ),
}
