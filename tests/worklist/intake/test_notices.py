"""What a source says of a study counts whenever it is said: before its images, after them, again, or for nothing."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from tests.conftest import NOW, Database
from tests.worklist.arrivals import (
    ACQUIRED_AT,
    PACS_A,
    PACS_B,
    an_object,
    doubts_of,
    events_of,
    receive,
    receive_and_complete,
    state_of,
    the_item,
)
from worklist import clock
from worklist.db.engine import Viewer, view_as
from worklist.db.tables.announced import announced_study
from worklist.db.tables.work import study
from worklist.intake.completion import complete_quiet_studies
from worklist.intake.notices import (
    StepOutcome,
    note_availability,
    note_procedure_step,
    note_study_at_source,
    studies_to_ask_about,
)
from worklist.intake.senders import Sender
from worklist.intake.study import AvailabilityNotice, Code, ProcedureStep, ReceivedObject, StepStatus, StudyAtSource
from worklist.local_time import LocalTime

SLOW = Sender("PACS_A", "RXA", 60)
ENDED_AT = ACQUIRED_AT + timedelta(minutes=25)

Said = ReceivedObject | ProcedureStep | AvailabilityNotice | StudyAtSource


def created(**values: Any) -> ProcedureStep:
    """The N-CREATE of a step of the study 2.25.1."""
    stated = {"status": StepStatus.IN_PROGRESS, "studies": (("2.25.1", "000123"),), **values}
    return ProcedureStep("PACS_A", "2.25.9", creates=True, **stated)


def ended(instances: int = 2, status: StepStatus = StepStatus.COMPLETED, **values: Any) -> ProcedureStep:
    """The N-SET that ends it, with so many objects in its one series."""
    at = values.pop("at", ENDED_AT)
    stated = {
        "ended": LocalTime(at.strftime("%Y%m%d%H%M%S"), "+0000", 0, "PerformedProcedureStepEndDateTime", at),
        "performed_instances": (("2.25.1.1", instances),) if instances else (),
        **values,
    }
    return ProcedureStep("PACS_A", "2.25.9", creates=False, status=status, **stated)


def notice(instances: int = 2, *, whole: bool = True) -> AvailabilityNotice:
    return AvailabilityNotice("PACS_A", f"2.25.8.{instances}", "2.25.1", instances, whole)


def at_source(instances: int | None = 2) -> StudyAtSource:
    return StudyAtSource("PACS_A", "2.25.1", "000123", instances=instances)


def listen(database: Database, *signals: str, wait: int = 1800) -> None:
    """Let PACS_A's completeness listen to signals."""
    with database.owner.begin() as connection:
        connection.execute(
            text(
                "UPDATE source SET completeness = jsonb_build_object('signals', CAST(:signals AS text[]),"
                " 'longest_wait_seconds', CAST(:wait AS integer)) WHERE ae_title = 'PACS_A'"
            ),
            {"signals": list(signals), "wait": wait},
        )


def say(database: Database, *said: Said, sender: Sender = SLOW) -> list[StepOutcome]:
    """Take things in, each in its own transaction, and give what was answered of steps."""
    outcomes = []
    for one in said:
        if isinstance(one, ReceivedObject):
            receive(database.app, one, sender=sender)
            continue
        with database.app.begin() as connection:
            if isinstance(one, ProcedureStep):
                outcomes.append(note_procedure_step(connection, sender, one))
            elif isinstance(one, AvailabilityNotice):
                note_availability(connection, sender, one)
            else:
                note_study_at_source(connection, sender, one)
    return outcomes


def wait(database: Database, by: timedelta) -> int:
    """Move the clock and give how many studies became complete."""
    with database.owner.begin() as connection:
        clock.move(connection, by)
    return complete_quiet_studies(database.app)


def completed_by(database: Database) -> str | None:
    with database.app.connect() as connection:
        made: str | None = connection.scalar(select(study.c.completed_by))
    assert made == the_item(database.app).completed_by
    return made


def test_an_ended_step_completes_a_study_at_once_when_all_that_it_made_is_here(network: Database) -> None:
    listen(network, "procedure_step")
    say(network, created(), an_object(1), an_object(2))
    assert wait(network, timedelta(minutes=5)) == 0  # quiet, but not ended
    say(network, ended(2))
    assert complete_quiet_studies(network.app) == 1
    assert completed_by(network) == "procedure-step"
    assert doubts_of(network.app) == set()


def test_the_last_object_of_an_ended_step_completes_the_study_without_a_quiet_period(network: Database) -> None:
    listen(network, "procedure_step")
    say(network, created(), ended(2), an_object(1))
    assert complete_quiet_studies(network.app) == 0
    say(network, an_object(2))
    assert complete_quiet_studies(network.app) == 1


def test_a_step_s_end_starts_the_clock_and_outranks_the_headers(network: Database) -> None:
    say(network, created(), ended(1), sender=PACS_A)
    receive_and_complete(network.app, an_object())
    row = the_item(network.app)
    assert (row.clock_start_at, row.clock_start_source) == (ENDED_AT, "PerformedProcedureStepEndDateTime")
    assert row.due_at == ENDED_AT + timedelta(hours=1)


def test_a_step_s_end_that_comes_late_puts_the_clock_and_the_reading_right(network: Database) -> None:
    receive_and_complete(network.app, an_object())
    assert the_item(network.app).clock_start_at == ACQUIRED_AT
    say(network, created(), ended(1))
    complete_quiet_studies(network.app)
    assert the_item(network.app).clock_start_at == ENDED_AT
    assert state_of(network.app)["readings"] == [("first", "open", ENDED_AT + timedelta(hours=1))]
    assert "item.evidence-added" in events_of(network.app)


def test_an_end_in_the_future_is_not_believed(network: Database) -> None:
    say(network, created(), ended(1, at=NOW + timedelta(hours=1)))
    receive_and_complete(network.app, an_object())
    assert the_item(network.app).clock_start_source == "AcquisitionDateTime"


def test_an_end_long_after_the_first_object_came_is_believed(network: Database) -> None:
    say(network, created(), an_object())
    wait(network, timedelta(minutes=40))
    say(network, ended(1, at=NOW + timedelta(minutes=39)))
    complete_quiet_studies(network.app)
    assert the_item(network.app).clock_start_at == NOW + timedelta(minutes=39)


def test_a_discontinued_step_completes_the_study_and_tells_people(network: Database) -> None:
    listen(network, "procedure_step")
    reason = Code("110514", "DCM", "Incorrect worklist entry selected")
    say(network, created(), an_object(), ended(1, StepStatus.DISCONTINUED, discontinuation_reason=reason))
    assert complete_quiet_studies(network.app) == 1
    assert doubts_of(network.app) == {"acquisition-discontinued"}


def test_missing_objects_are_waited_for_and_then_told_of_and_settled_when_they_come(network: Database) -> None:
    listen(network, "procedure_step")
    say(network, an_object(1), created(), ended(2))
    assert wait(network, timedelta(minutes=29)) == 0
    assert wait(network, timedelta(minutes=2)) == 1
    assert completed_by(network) == "longest-wait"
    assert doubts_of(network.app) == {"instance-count-mismatch"}
    say(network, an_object(2))
    complete_quiet_studies(network.app)
    assert doubts_of(network.app) == set()


def test_a_notice_completes_a_study_that_is_whole_here(network: Database) -> None:
    listen(network, "availability_notice")
    say(network, an_object(1), notice(2), notice(1, whole=False))
    assert complete_quiet_studies(network.app) == 0
    say(network, an_object(2))
    assert complete_quiet_studies(network.app) == 1
    assert completed_by(network) == "availability-notice"


def test_an_expected_count_completes_a_quiet_study_that_has_as_much(network: Database) -> None:
    listen(network, "expected_count")
    say(network, an_object(1), an_object(2), at_source(2))
    assert complete_quiet_studies(network.app) == 0
    assert wait(network, timedelta(minutes=1)) == 1
    assert completed_by(network) == "expected-count"


def test_a_quiet_study_is_asked_about_and_again_ever_more_seldom_until_its_count_matches(network: Database) -> None:
    listen(network, "expected_count")

    def asked() -> list[str]:
        with network.app.begin() as connection:
            return studies_to_ask_about(connection, "PACS_A", 10)

    say(network, an_object(1))
    assert asked() == []  # not quiet yet
    wait(network, timedelta(minutes=1))
    assert [asked(), asked()] == [["2.25.1"], []]
    say(network, at_source(2))
    wait(network, timedelta(seconds=31))
    assert [asked(), asked()] == [["2.25.1"], []]
    wait(network, timedelta(seconds=31))
    assert asked() == []  # a minute now
    wait(network, timedelta(seconds=31))
    assert asked() == ["2.25.1"]
    say(network, an_object(2))
    wait(network, timedelta(minutes=10))
    assert completed_by(network) == "expected-count"
    assert asked() == []


def test_a_sweep_that_finds_all_as_it_was_changes_nothing(network: Database) -> None:
    listen(network, "expected_count")
    say(network, an_object(1), an_object(2), at_source(2))
    wait(network, timedelta(minutes=1))
    before = state_of(network.app), events_of(network.app)
    say(network, at_source(2), at_source(2))
    complete_quiet_studies(network.app)
    assert (state_of(network.app), events_of(network.app)) == before
    say(network, at_source(3))
    complete_quiet_studies(network.app)
    assert doubts_of(network.app) == {"instance-count-mismatch"}


def test_a_source_whose_policy_wants_no_counts_is_never_asked(network: Database) -> None:
    say(network, an_object(1), sender=PACS_A)
    with network.app.begin() as connection:
        assert studies_to_ask_about(connection, "PACS_A", 10) == []
        assert studies_to_ask_about(connection, "NOBODY", 10) == []


def test_a_study_that_never_came_is_an_exception_when_the_sweep_asks_and_no_work(network: Database) -> None:
    say(network, at_source())
    assert doubts_of(network.app) == set()
    for _ in range(2):
        with network.app.begin() as connection:
            note_study_at_source(connection, SLOW, at_source(), tell_if_never_sent=True)
    assert doubts_of(network.app) == {"study-never-sent"}
    with network.app.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM item")) == 0
        told = str(connection.execute(text("SELECT * FROM worklist_exception")).all())
    assert "2.25.1" not in told
    assert "000123" not in told
    say(network, an_object(), sender=PACS_A)
    complete_quiet_studies(network.app)
    assert doubts_of(network.app) == set()


@pytest.mark.parametrize(
    ("said", "answers"),
    [
        ([created(), created()], "taken taken"),
        ([created(), created(studies=(("2.25.2", None),))], "taken duplicate"),
        ([created(), ended(), ended()], "taken taken taken"),
        ([created(), ended(), created()], "taken taken taken"),
        ([created(), ended(2), ended(3)], "taken taken final"),
        ([created(), ended(status=StepStatus.DISCONTINUED), ended()], "taken taken final"),
        ([created(), ended(0, StepStatus.IN_PROGRESS), ended()], "taken taken taken"),
        ([created(), ended(), ended(0, StepStatus.IN_PROGRESS)], "taken taken final"),
        ([ended(), ended(), created(), ended()], "unknown unknown taken taken"),
        ([created(status=StepStatus.COMPLETED)], "not-in-progress"),
    ],
)
def test_messages_about_a_step_are_answered(network: Database, said: list[ProcedureStep], answers: str) -> None:
    assert say(network, *said) == answers.split()


def test_the_same_step_uid_at_another_trust_is_another_step(network: Database) -> None:
    say(network, created())
    elsewhere = created(studies=(("2.25.77", None),))
    assert say(network, elsewhere, sender=PACS_B) == [StepOutcome.TAKEN]
    with network.app.begin() as connection:
        view_as(connection, Viewer(trust="RXB"))
        assert connection.scalars(select(announced_study.c.study_instance_uid)).all() == ["2.25.77"]


def test_nobody_reads_what_was_announced_without_the_trust(network: Database) -> None:
    say(network, created())
    with network.app.begin() as connection:
        assert connection.execute(select(announced_study)).all() == []


def test_step_and_series_uids_are_kept_as_digests_only(network: Database) -> None:
    say(network, created(), ended())
    with network.owner.connect() as connection:
        rows = [
            str(connection.execute(text(f"SELECT * FROM {table}")).all())
            for table in ("performed_step", "performed_series", "performed_step_study", "event")
        ]
    assert not any("2.25." in row for row in rows)


@pytest.mark.parametrize("count", [2, 3])
def test_whatever_the_order_and_however_often_things_are_said_the_item_is_the_same(
    network: Database, clone: Callable[[str], Database], network_template: str, count: int
) -> None:
    signals = ("procedure_step", "availability_notice", "expected_count")
    said: list[Said] = [an_object(1), an_object(2), created(), ended(count), notice(count), at_source(count)]

    def final(database: Database, things: list[Said], *, seed: random.Random | None = None) -> dict[str, Any]:
        listen(database, *signals)
        for one in things:
            say(database, one)
            if seed is not None and seed.random() < 0.3:
                complete_quiet_studies(database.app)
        for _ in range(3):
            wait(database, timedelta(minutes=31))
        return state_of(database.app)

    expected = final(network, said)
    assert expected["state"] == "ready"
    assert expected["clock_start_source"] == "PerformedProcedureStepEndDateTime"
    assert ("instance-count-mismatch" in expected["doubts"]) is (count > 2)
    shuffler = random.Random(20260610 + count)
    for _ in range(4):
        things = shuffler.sample(said * 3, len(said) * 3)
        assert final(clone(network_template), things, seed=shuffler) == expected
