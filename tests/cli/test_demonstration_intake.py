"""The demonstration's studies, taken in as a listener would, make the worklist that they are meant to make."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from pynetdicom.dsutils import encode
from sqlalchemy import Connection, Engine, Row, text

from allocation.configuration.apply import apply
from allocation.eligibility import judge
from allocation.reporter import Reporter
from allocation.scope import Level
from allocation.workforce import load_reporters, work_of_item
from cli.demonstration.network import demonstration_network
from cli.demonstration.studies import DemoStudy, studies
from dicom_listener.header.read import read_header
from tests.conftest import NOW
from worklist.db import embedded
from worklist.db.engine import make_engine
from worklist.intake.completion import complete_quiet_studies
from worklist.intake.objects import Arrival, take_in
from worklist.intake.senders import Sender

COUNT = 190
ULTRASOUND = "ultrasound, which nobody of the pool reports"


@dataclass(frozen=True)
class Worked:
    """What became of each study: its item's row, and who may report it."""

    study: DemoStudy
    item: Row[Any]
    exams: list[Row[Any]]
    eligible: list[Reporter]


@pytest.fixture(scope="module")
def worked(cluster: embedded.Cluster, empty_template: str) -> Iterator[list[Worked]]:
    name = "test_demonstration_intake"
    embedded.clone_database(cluster, empty_template, name)
    app, owner = make_engine(cluster.url("app", name)), make_engine(cluster.url("owner", name))
    yield _work(app, owner)
    app.dispose()
    owner.dispose()
    embedded.drop_database(cluster, name)


def test_every_study_is_an_item_of_its_own(worked: list[Worked]) -> None:
    assert len({each.item.id for each in worked}) == COUNT


def test_only_what_lacks_an_accession_number_is_held(worked: list[Worked]) -> None:
    held = {_oddity(each) for each in worked if each.item.state == "on_hold"}
    assert held == {"no accession number"}
    assert {each.item.state for each in worked} == {"ready", "on_hold"}


def test_all_work_but_ultrasound_has_an_autonomous_reporter(worked: list[Worked]) -> None:
    without = {_oddity(each) for each in worked if not each.eligible}
    assert without == {ULTRASOUND}


def test_radiographers_may_report_a_part_of_the_plain_film(worked: list[Worked]) -> None:
    plain = [each for each in worked if each.item.modality == "XR"]
    open_to_radiographers = [each for each in plain if any(one.group == "radiographer" for one in each.eligible)]
    assert 0.3 < len(open_to_radiographers) / len(plain) < 0.9


def test_most_is_within_target_and_a_handful_is_not(worked: list[Worked]) -> None:
    breached = [each for each in worked if each.item.due_at < NOW]
    assert 3 <= len(breached) <= COUNT // 10
    assert len({each.item.due_at.date() for each in worked}) > 5


def test_exams_are_mapped_as_the_notes_say(worked: list[Worked]) -> None:
    unmapped = Counter(_oddity(each) for each in worked if any(exam.exam_code is None for exam in each.exams))
    assert set(unmapped) == {
        "not coded; the scanner's protocol as description",
        "not coded; description cut off",
        "not coded; another trust's words",
        "not coded; markup in the description",
        "a code that the catalogue does not know",
        "the code of a CT on MR images",
    }
    by = {_oddity(each): [(exam.exam_code, exam.mapped_by) for exam in each.exams] for each in worked}
    assert by["not coded; the trust's own words, which it declared"] == [("XTIFR", "description")]
    assert by["the trust's own code, which it declared"] == [("CHEAD", "requested-code")]
    assert by["not coded; a bare code as description"] == [("CCHAPC", "description")]
    assert {code for code, _ in by["two exams of one accession"]} == {"CHEAD", "CCSPN"}
    assert {exam.mapped_by for each in worked for exam in each.exams} >= {"requested-code", "performed-code"}


def _work(app: Engine, owner: Engine) -> list[Worked]:
    made = studies(2, COUNT, NOW)
    _stand_at_now(owner)
    with app.begin() as connection:
        apply(connection, demonstration_network(), by="test")
    for study in made:
        _take_in(app, study)
    _stand_at_now(owner, seconds_later=600)  # however long taking in took
    complete_quiet_studies(app, limit=2 * COUNT)
    with owner.begin() as connection:
        reporters = list(load_reporters(connection).values())
        return [_look(connection, study, reporters) for study in made]


def _take_in(app: Engine, study: DemoStudy) -> None:
    with app.begin() as connection:
        for dataset in study.datasets:
            syntax = dataset.file_meta.TransferSyntaxUID
            octets = encode(dataset, syntax.is_implicit_VR, syntax.is_little_endian)
            assert octets is not None
            received = read_header(octets, str(syntax), study.ae_title)
            assert not received.header_faults
            take_in(connection, [Arrival(Sender(study.ae_title, study.trust, 1), received)])


def _look(connection: Connection, study: DemoStudy, reporters: list[Reporter]) -> Worked:
    row = connection.execute(
        text(
            "SELECT i.* FROM item i JOIN item_study s ON s.item_id = i.id"
            " JOIN study_identity d ON d.study_id = s.study_id WHERE d.study_instance_uid = :uid"
        ),
        {"uid": str(study.datasets[0].StudyInstanceUID)},
    ).one()
    exams = connection.execute(text("SELECT * FROM item_exam WHERE item_id = :id ORDER BY position"), {"id": row.id})
    work = work_of_item(connection, row)
    verdicts = [(one, judge(one, work, NOW)) for one in reporters]
    eligible = [one for one, verdict in verdicts if verdict.eligible and verdict.level is Level.AUTONOMOUS]
    return Worked(study, row, list(exams), eligible)


def _oddity(each: Worked) -> str:
    return each.study.note.partition(": ")[2]


def _stand_at_now(owner: Engine, seconds_later: int = 0) -> None:
    with owner.begin() as connection:
        connection.execute(
            text(
                "UPDATE test_clock SET enabled = true,"
                " moved_by = :now - clock_timestamp() + make_interval(secs => :later)"
            ),
            {"now": NOW, "later": seconds_later},
        )
