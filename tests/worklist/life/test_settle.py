"""What a person settles about an item, and what a later object adds to it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from tests.conftest import Database
from tests.worklist.arrivals import PATIENT, an_object, an_order, readings_of, receive, take, the_item
from worklist.db.engine import Viewer, view_as
from worklist.db.tables.work import item, item_exam, order_identity, patient, reading, worklist_exception
from worklist.intake.completion import complete_quiet_studies
from worklist.item import ForbiddenMove
from worklist.life import acts as life
from worklist.life.settle import AccessionTaken, UnknownExam, classify, give_accession


def items(database: Database) -> dict[int, str]:
    with database.app.connect() as connection:
        return {row.id: row.state for row in connection.execute(select(item).order_by(item.c.id))}


def readings(database: Database, item_id: int) -> list[str]:
    with database.app.connect() as connection:
        return list(connection.scalars(select(reading.c.state).where(reading.c.item_id == item_id)))


def test_an_item_that_is_given_its_accession_number_is_offered(network: Database) -> None:
    receive(network.app, an_object(accession_number=None))
    complete_quiet_studies(network.app)
    (held,) = items(network)
    with network.app.begin() as connection:
        assert give_accession(connection, "pacs", held, "000777") == held
    assert items(network) == {held: "ready"}
    assert readings(network, held) == ["open"]


def test_images_that_are_given_the_number_of_a_waiting_order_become_that_item_s(network: Database) -> None:
    take(network.app, an_order())
    receive(network.app, an_object(accession_number=None))
    complete_quiet_studies(network.app)
    ordered, images = items(network)
    with network.app.begin() as connection:
        assert give_accession(connection, "pacs", images, "000123") == ordered
    complete_quiet_studies(network.app)
    assert items(network) == {ordered: "ready", images: "cancelled"}
    assert readings(network, ordered) == ["open"]
    assert set(readings(network, images)) <= {"withdrawn"}


def test_cancelled_work_is_given_no_number_under_which_images_would_be_hidden(network: Database) -> None:
    receive(network.app, an_object(accession_number=None))
    complete_quiet_studies(network.app)
    (held,) = items(network)
    with network.app.begin() as connection:
        life.cancel(connection, "pacs", held, "test-images")
    with network.app.begin() as connection, pytest.raises(ForbiddenMove):
        give_accession(connection, "pacs", held, "000777")
    receive(network.app, an_object(2, study=2, accession_number="000777"))
    complete_quiet_studies(network.app)
    assert sorted(items(network).values()) == ["cancelled", "ready"]


def test_the_number_of_work_that_has_images_is_taken(network: Database) -> None:
    receive(network.app, an_object(), an_object(2, study=2, accession_number=None))
    complete_quiet_studies(network.app)
    _, images = items(network)
    with network.app.begin() as connection, pytest.raises(AccessionTaken):
        give_accession(connection, "pacs", images, "000123")


def test_the_order_of_another_patient_does_not_take_the_images(network: Database) -> None:
    take(network.app, an_order())
    other = replace(PATIENT, identifier="H999", nhs_number=None)
    receive(network.app, an_object(accession_number=None, patient=other))
    complete_quiet_studies(network.app)
    _, images = items(network)
    with network.app.begin() as connection, pytest.raises(AccessionTaken):
        give_accession(connection, "pacs", images, "000123")


def test_a_classified_item_has_the_exam_and_no_doubt(network: Database) -> None:
    receive(network.app, an_object(requested_codes=(), study_description="chest thing"))
    complete_quiet_studies(network.app)
    (one,) = items(network)
    with network.app.begin() as connection:
        classify(connection, "duty", one, ["XCHES"])
    with network.app.connect() as connection:
        assert connection.scalars(select(item_exam.c.exam_code)).all() == ["XCHES"]
        open_kinds = select(worklist_exception.c.kind).where(worklist_exception.c.closed_at.is_(None))
        assert connection.scalars(open_kinds).all() == []


def test_an_order_that_is_classified_before_its_images_has_no_clock_yet(network: Database) -> None:
    take(network.app, an_order())
    (one,) = items(network)
    with network.app.begin() as connection:
        classify(connection, "duty", one, ["XCHES"])
    row = the_item(network.app)
    assert (row.state, row.due_at, row.clock_start_at) == ("ordered", None, None)
    assert readings_of(network.app) == []


def test_a_code_that_the_catalogue_does_not_have_classifies_nothing(network: Database) -> None:
    receive(network.app, an_object(requested_codes=(), study_description="chest thing"))
    complete_quiet_studies(network.app)
    (one,) = items(network)
    with network.app.begin() as connection, pytest.raises(UnknownExam):
        classify(connection, "duty", one, ["XNONE"])


@pytest.mark.parametrize("turned", [False, True])
def test_what_one_object_lacks_another_states_whichever_comes_first(network: Database, turned: bool) -> None:
    poor = an_object(1, accession_number=None, patient=replace(PATIENT, birth_date=None, sex=None))
    rich = an_object(2)
    receive(network.app, *((rich, poor) if turned else (poor, rich)))
    complete_quiet_studies(network.app)
    with network.app.begin() as connection:
        view_as(connection, Viewer(trust="RXA"))
        assert connection.scalars(select(order_identity.c.accession_number)).all() == ["000123"]
        known = connection.execute(select(patient.c.birth_date, patient.c.sex)).one()
        assert (known.birth_date, known.sex) == (PATIENT.birth_date, PATIENT.sex)
        row = connection.execute(select(item.c.state, item.c.age_years)).one()
        assert (row.state, row.age_years) == ("ready", 45)
