"""A relevant prior adds its minutes, whichever exam comes first, and whoever the patient turns out to be."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select, text

from tests.allocation.configuration.applying import apply_text
from tests.builders import wait_until_somebody_waits
from tests.conftest import NOW, Database
from tests.worklist.arrivals import acquired, an_object, an_order, receive, receive_and_complete, take
from tests.worklist.patients.persons import merge, patient, tell, unlink
from worklist.db.engine import Viewer, view_as
from worklist.db.tables.work import study
from worklist.intake.completeness import CompletedBy
from worklist.intake.completion import complete_quiet_studies, complete_study
from worklist.intake.orders import Order, OrderControl
from worklist.intake.remapping import work_out_noted
from worklist.intake.study import Code, PatientAsSent, ReceivedObject
from worklist.life.acts import cancel

MODIFIER = '[[minutes_modifier]]\nkind = "relevant-prior"\npercent = 110\nsource = "test"\nvalid_from = 2020-01-01\n'
CHEST, HEAD, MR_HEAD = (Code(code, "NICIP", code) for code in ("XCHES", "CHEAD", "MHEAD"))


def an_exam(
    number: int, code: Code, days_ago: int, *, modality: str = "DX", who: PatientAsSent | None = None
) -> ReceivedObject:
    at = NOW - timedelta(days=days_ago, hours=2)
    return an_object(
        study=number,
        accession_number=f"00{number}",
        requested_codes=(code,),
        study_description=None,
        modality=modality,
        acquisition_ended=acquired(at),
        study_date=at.date(),
        patient=who or patient(),
    )


def come(network: Database, *exams: ReceivedObject) -> None:
    for one in exams:
        receive_and_complete(network.app, one)
    work_out_noted(network.app)


def minutes(network: Database) -> dict[str, Decimal]:
    with network.owner.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT o.accession_number, r.reporting_minutes, i.reporting_minutes AS of_item FROM item i"
                " JOIN order_identity o ON o.item_id = i.id JOIN reading r ON r.item_id = i.id"
            )
        ).all()
    assert all(row.reporting_minutes == row.of_item for row in rows)
    return {row.accession_number: row.reporting_minutes for row in rows}


def derivation(network: Database, number: int) -> list[str]:
    with network.owner.connect() as connection:
        found = connection.scalar(
            text(
                "SELECT minutes_derivation FROM item i JOIN order_identity o ON o.item_id = i.id"
                " WHERE accession_number = :number"
            ),
            {"number": f"00{number}"},
        )
    assert found is not None
    return list(found)


@pytest.fixture
def valued(network: Database) -> Database:
    apply_text(network, MODIFIER)
    return network


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_it_does_not_matter_in_which_order_the_exams_come(valued: Database, order: tuple[int, ...]) -> None:
    exams = [
        an_exam(1, HEAD, 400, modality="CT"),
        an_exam(2, MR_HEAD, 30, modality="MR"),
        an_exam(3, HEAD, 0, modality="CT"),
    ]
    come(valued, *(exams[one] for one in order))
    assert minutes(valued) == {"001": Decimal("8.00"), "002": Decimal("16.50"), "003": Decimal("8.80")}
    last = (NOW - timedelta(days=30)).date()
    assert derivation(valued, 3) == [
        "CHEAD: 8 minutes (network)",
        f"relevant prior, MHEAD of {last}: 110%",
        "8.8 minutes",
    ]
    assert valued.count("SELECT count(*) FROM item_to_work_out") == 0


@pytest.mark.parametrize(
    "earlier",
    [
        an_exam(1, CHEST, 30),  # another region
        an_exam(1, HEAD, 0, modality="CT"),  # the same day: one of the bundle
        an_exam(1, HEAD, 30, modality="CT", who=patient("H200")),
        an_exam(1, Code("?", "LOCAL", "?"), 30),  # nobody knows what it is
    ],
)
def test_what_is_not_relevant_adds_nothing(valued: Database, earlier: ReceivedObject) -> None:
    come(valued, earlier, an_exam(3, HEAD, 0, modality="CT"))
    assert minutes(valued)["003"] == Decimal("8.00")


def test_without_the_modifier_nothing_is_added(network: Database) -> None:
    come(network, an_exam(1, HEAD, 30, modality="CT"), an_exam(3, HEAD, 0, modality="CT"))
    assert minutes(network)["003"] == Decimal("8.00")
    assert derivation(network, 3) == ["CHEAD: 8 minutes (network)", "8 minutes"]


def test_an_order_without_images_and_what_was_cancelled_are_no_priors(valued: Database) -> None:
    take(valued.app, an_order(accession_number="001", exams=(HEAD,)))
    come(valued, an_exam(2, HEAD, 30, modality="CT"))
    with valued.app.begin() as connection:
        number = valued.count("SELECT item_id FROM order_identity WHERE accession_number = '002'")
        cancel(connection, "cora", number, "duplicate")
    come(valued, an_exam(3, HEAD, 0, modality="CT"))
    assert minutes(valued)["003"] == Decimal("8.00")


def test_a_prior_that_is_cancelled_counts_no_longer(valued: Database) -> None:
    come(valued, an_exam(1, HEAD, 30, modality="CT"), an_exam(3, HEAD, 0, modality="CT"))
    assert minutes(valued)["003"] == Decimal("8.80")
    with valued.app.begin() as connection:
        number = valued.count("SELECT item_id FROM order_identity WHERE accession_number = '001'")
        cancel(connection, "cora", number, "not-performed")
    work_out_noted(valued.app)
    assert minutes(valued)["003"] == Decimal("8.00")


def test_a_prior_under_an_identifier_that_was_merged_counts_and_after_an_unlink_it_does_not(valued: Database) -> None:
    come(
        valued,
        an_exam(1, HEAD, 30, modality="CT", who=patient("H200")),
        an_exam(3, HEAD, 0, modality="CT", who=patient("H100")),
    )
    assert minutes(valued)["003"] == Decimal("8.00")
    tell(valued.app, merge(30, "H200", "H100"))
    assert minutes(valued)["003"] == Decimal("8.80")
    tell(valued.app, unlink(40, "H200", "H100"))
    assert minutes(valued)["003"] == Decimal("8.00")


def test_a_prior_that_comes_under_the_retired_identifier_after_the_merge_counts_too(valued: Database) -> None:
    tell(valued.app, merge(30, "H200", "H100"))
    come(
        valued,
        an_exam(3, HEAD, 0, modality="CT", who=patient("H100")),
        an_exam(1, HEAD, 30, modality="CT", who=patient("H200")),
    )
    assert minutes(valued)["003"] == Decimal("8.80")


def test_a_date_that_is_corrected_by_a_late_object_is_followed(valued: Database) -> None:
    first = an_exam(1, HEAD, 0, modality="CT")
    come(valued, first, an_exam(3, HEAD, 0, modality="CT"))
    assert minutes(valued)["003"] == Decimal("8.00")
    earlier = replace(first, sop_instance_uid="2.25.1.1.9", study_date=date(2026, 6, 1))
    come(valued, earlier)
    assert minutes(valued)["003"] == Decimal("8.80")


def test_an_order_that_names_another_patient_takes_the_prior_away(valued: Database) -> None:
    come(valued, an_exam(1, HEAD, 30, modality="CT"), an_exam(3, HEAD, 0, modality="CT"))
    other: Order = an_order(30, OrderControl.NEW, accession_number="001", patient=patient("H900"), exams=(HEAD,))
    take(valued.app, other)
    work_out_noted(valued.app)
    assert minutes(valued)["003"] == Decimal("8.00")


def test_of_two_that_are_completed_at_once_one_sees_the_other(valued: Database) -> None:
    receive(valued.app, an_exam(1, HEAD, 30, modality="CT"), an_exam(3, HEAD, 0, modality="CT"))
    with ThreadPoolExecutor(1) as pool, valued.app.connect() as first:
        view_as(first, Viewer(trust="RXA"))
        row = first.execute(select(study).order_by(study.c.id).limit(1).with_for_update(key_share=True)).one()
        complete_study(first, row, CompletedBy.FORCED)
        second = pool.submit(complete_quiet_studies, valued.app)
        wait_until_somebody_waits(valued)
        assert not second.done()
        first.commit()
        assert second.result(timeout=60) == 1
    assert minutes(valued)["003"] == Decimal("8.80")
