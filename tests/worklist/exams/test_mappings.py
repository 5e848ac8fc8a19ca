"""A trust's own words are dated and attributed, never edited, and what waits with them is mapped again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from allocation.configuration.apply import apply
from allocation.configuration.read import read_texts
from tests.builders import arrive, patient_called, wait_until_somebody_waits
from tests.conftest import Database
from tests.worklist.arrivals import an_object, doubts_of, events_of, receive, receive_and_complete, the_item
from worklist.db.engine import Viewer, view_as
from worklist.db.tables.work import study
from worklist.exams import mappings as exam_mappings
from worklist.exams.codes import AliasKind
from worklist.exams.mappings import (
    ExamNotInForce,
    Mapped,
    UnknownException,
    UnknownTrust,
    list_mappings,
    map_from_now_on,
    word_as_sent,
)
from worklist.intake import remapping
from worklist.intake.completeness import CompletedBy
from worklist.intake.completion import complete_study
from worklist.intake.remapping import work_out_noted
from worklist.intake.study import Code
from worklist.life.settle import UnknownExam

DAY = date(2026, 6, 10)


def map_word(database: Database, exam: str = "XCHES", code: str | None = "NOVEL", **how: Any) -> Mapped:
    word = word_as_sent(how.pop("trust", "RXA"), code, how.pop("scheme", None), how.pop("description", None))
    with database.app.begin() as connection:
        return map_from_now_on(connection, "pat", word, exam, "seen in the RIS", **how)


def words(database: Database) -> list[tuple[Any, ...]]:
    with database.owner.connect() as connection:
        rows = connection.execute(
            text("SELECT exam_code, valid_from, valid_to, opened_by, closed_by FROM exam_alias ORDER BY id")
        )
        return [tuple(row) for row in rows]


def exam_of(database: Database, item_id: int) -> tuple[Any, ...]:
    with database.owner.connect() as connection:
        statement = "SELECT exam_code, mapped_by, alias_id, exam_version FROM item_exam WHERE item_id = :item"
        return tuple(connection.execute(text(statement), {"item": item_id}).one())


def test_mapping_a_code_maps_what_waits_with_it_in_the_same_act(network: Database) -> None:
    waiting, other = arrive(network, exam="NOVEL"), arrive(network, exam="OTHER")
    done = map_word(network)
    assert (done.worked_out, done.still_to_work_out, done.closed_mapping_id) == (1, 0, None)
    assert exam_of(network, waiting) == ("XCHES", "requested-code", done.mapping_id, 1)
    assert exam_of(network, other)[0] is None
    assert events_of(network.app)[-2:] == ["item.remapped", "exam.mapped"]
    assert network.count("SELECT count(*) FROM item_to_work_out") == 0
    assert (
        network.count(f"SELECT count(*) FROM worklist_exception WHERE item_id = {waiting} AND closed_at IS NULL") == 0
    )


def test_a_reading_follows_its_item_to_the_new_profile_and_minutes(network: Database) -> None:
    waiting = arrive(network, exam="NOVEL")
    map_word(network)
    with network.owner.connect() as connection:
        row = connection.execute(
            text(
                "SELECT i.profile_id = r.profile_id AS same, r.reporting_minutes, p.unmapped FROM item i"
                " JOIN reading r ON r.item_id = i.id JOIN profile p ON p.id = i.profile_id WHERE i.id = :item"
            ),
            {"item": waiting},
        ).one()
    assert (row.same, float(row.reporting_minutes), row.unmapped) == (True, 2.0, False)


def test_what_does_not_fit_into_the_act_is_noted_and_follows_by_itself(
    network: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exam_mappings, "AT_ONCE", 1)
    for _ in range(4):
        arrive(network, exam="NOVEL")
    done = map_word(network)
    assert (done.worked_out, done.still_to_work_out) == (1, 3)
    assert network.count("SELECT count(*) FROM item_to_work_out") == 3
    still = "SELECT count(*) FROM item_exam WHERE exam_code IS NULL"
    assert network.count(still) == 3

    def die(*_: Any) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(remapping, "write_facts", die)
        work_out_noted(network.app, limit=1)
    assert network.count("SELECT count(*) FROM item_to_work_out") == 3  # put off, not forgotten
    assert work_out_noted(network.app) == 2  # it stops nobody behind it
    with network.owner.begin() as connection:
        connection.execute(text("UPDATE test_clock SET moved_by = moved_by + interval '2 minutes'"))
    assert work_out_noted(network.app) == 1
    assert (network.count(still), network.count("SELECT count(*) FROM item_to_work_out")) == (0, 0)


def test_what_is_completed_meanwhile_is_mapped_too(network: Database) -> None:
    receive(network.app, an_object(requested_codes=(Code("NOVEL", "LOCAL", ""),)))
    with ThreadPoolExecutor(1) as pool, network.app.connect() as completing:
        row = completing.execute(select(study).with_for_update(key_share=True)).one()
        view_as(completing, Viewer(trust="RXA"))
        complete_study(completing, row, CompletedBy.QUIET)
        mapping = pool.submit(map_word, network)
        wait_until_somebody_waits(network)
        completing.commit()
        assert mapping.result(timeout=60).worked_out == 1
    assert exam_of(network, the_item(network.app).id)[0] == "XCHES"


def test_a_mapping_that_fails_leaves_nothing_behind(network: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = arrive(network, exam="NOVEL")

    def die(*_: Any) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(remapping, "write_facts", die)
        with pytest.raises(RuntimeError, match="killed"):
            map_word(network)
    assert words(network) == []
    assert exam_of(network, waiting)[0] is None


def test_a_change_closes_one_row_and_opens_another_and_what_waits_is_mapped_again(network: Database) -> None:
    waiting = arrive(network, exam="NOVEL")
    first = map_word(network, valid_from=date(2026, 6, 1))
    second = map_word(network, "XHANL", valid_from=DAY)
    assert second.closed_mapping_id == first.mapping_id
    assert words(network) == [
        ("XCHES", date(2026, 6, 1), date(2026, 6, 9), "pat", "pat"),
        ("XHANL", DAY, None, "pat", None),
    ]
    assert exam_of(network, waiting)[:3] == ("XHANL", "requested-code", second.mapping_id)


def test_the_same_mapping_again_changes_nothing(network: Database) -> None:
    arrive(network, exam="NOVEL")
    first = map_word(network)
    assert map_word(network).mapping_id == first.mapping_id
    assert len(words(network)) == 1


def test_a_description_maps_where_no_code_was_sent_and_a_snomed_code_by_its_scheme(network: Database) -> None:
    receive_and_complete(network.app, an_object(requested_codes=(), study_description="Chest  thing"))
    done = map_word(network, code=None, description="chest thing")
    assert exam_of(network, the_item(network.app).id)[:3] == ("XCHES", "description", done.mapping_id)
    other = an_object(2, study=2, accession_number="000124", requested_codes=(Code("4711", "SCT", "a film"),))
    receive_and_complete(network.app, other)
    map_word(network, "XCHES", "4711", scheme="SCT")
    assert network.count("SELECT count(*) FROM item_exam WHERE exam_code IS NULL") == 0
    assert word_as_sent("RXA", "4711", "SCT", None).kind is AliasKind.SNOMED_CODE


def test_what_a_person_classified_and_what_is_of_another_trust_stays(network: Database) -> None:
    other = arrive(network, trust="RXB", exam="NOVEL")
    map_word(network)
    assert exam_of(network, other)[0] is None


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ({"exam": "XNONE"}, UnknownExam),
        ({"trust": "RXZ"}, UnknownTrust),
        ({"exception_id": 987654}, UnknownException),
    ],
)
def test_what_is_not_known_maps_nothing(network: Database, how: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        map_word(network, **how)
    assert words(network) == []


def test_an_exam_that_was_retired_before_is_not_mapped_to(network: Database) -> None:
    with network.owner.begin() as connection:
        connection.execute(text("UPDATE exam SET valid_to = '2026-06-09' WHERE code = 'XCHES'"))
    with pytest.raises(ExamNotInForce):
        map_word(network)


def test_the_exception_that_led_to_it_is_kept(network: Database) -> None:
    waiting = arrive(network, exam="NOVEL")
    number = network.count(f"SELECT id FROM worklist_exception WHERE item_id = {waiting} AND kind = 'unmapped-exam'")
    map_word(network, exception_id=number)
    assert network.count("SELECT exception_id FROM exam_alias") == number


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE exam_alias SET exam_code = 'XHANL'",
        "UPDATE exam_alias SET valid_to = '2026-12-31'",
        "DELETE FROM exam_alias",
        "TRUNCATE exam_alias CASCADE",
        "UPDATE exam_version SET version = 7",
    ],
)
def test_the_database_lets_nobody_edit_the_past(network: Database, change: str) -> None:
    map_word(network)
    with network.owner.connect() as connection, pytest.raises(DBAPIError, match="forbidden"):
        connection.execute(text(change))


def test_words_are_seen_by_the_trust_s_own_alone(network: Database) -> None:
    arrive(network, exam="NOVEL")
    map_word(network)
    seen = {}
    for trust in ("RXA", "RXB", None):
        with network.app.begin() as connection:
            view_as(connection, Viewer(trust=trust, network_wide=trust is None))
            as_sent = connection.scalar(text("SELECT count(*) FROM exam_as_sent"))
            seen[trust] = (len(list_mappings(connection, "RXA", limit=9)), as_sent)
    assert seen == {"RXA": (1, 1), "RXB": (0, 0), None: (0, 0)}


def test_an_exam_before_its_time_says_why_it_is_not_mapped(network: Database) -> None:
    with network.owner.begin() as connection:
        connection.execute(text("UPDATE exam SET valid_from = '2026-07-01' WHERE code = 'XCHES'"))
    item_id = arrive(network, exam="XCHES")
    assert exam_of(network, item_id)[:2] == (None, "not-yet-valid")
    assert doubts_of(network.app) == {"unmapped-exam"}
    with network.owner.connect() as connection:
        told = connection.execute(text("SELECT detail FROM worklist_exception")).scalar_one()
    assert told == "XCHES is in the catalogue from 2026-07-01, and the examination was before that"


def test_a_document_that_is_imported_again_does_not_undo_what_a_person_mapped_since(network: Database) -> None:
    stated = '[[exam_alias]]\ntrust = "RXA"\nkind = "code"\nvalue = "NOVEL"\nexam = "XCHES"\n'
    document(network, stated)
    map_word(network, "XHANL")
    document(network, stated)
    assert [row[0] for row in words(network) if row[4] is None] == ["XHANL"]
    document(network, stated.replace("XCHES", "XKNEL"))
    assert [row[0] for row in words(network) if row[4] is None] == ["XKNEL"]


def test_minutes_and_modifiers_of_a_document_value_what_arrives(network: Database) -> None:
    document(
        network,
        '[[minutes_modifier]]\nkind = "paediatric"\npercent = 130\nbelow_years = 16\nsource = "test"\n'
        "valid_from = 2026-01-01\n",
    )
    item_id = arrive(network, exam="XCHES", patient=patient_called(birth_date=date(2019, 1, 1)))
    assert network.count(f"SELECT reporting_minutes * 100 FROM item WHERE id = {item_id}") == 260
    assert network.count(f"SELECT reporting_minutes * 100 FROM item_exam WHERE item_id = {item_id}") == 200


def document(database: Database, words_: str) -> None:
    with database.app.begin() as connection:
        apply(connection, read_texts([("network.toml", words_)]), by="test")
