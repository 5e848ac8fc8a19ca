"""A release takes effect whole or not at all, retires what it lacks, and leaves what is the network's own."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from allocation.configuration.read import InvalidConfiguration
from allocation.eligibility import judge
from allocation.exam_catalogue.file import read_catalogue
from allocation.exam_catalogue.imports import Imported, Release, import_release
from allocation.workforce import load_item_row, load_reporters, work_of_item
from tests.builders import arrive
from tests.conftest import NOW, Database
from worklist.intake.remapping import work_out_noted

HEADER = "short_code,preferred,sct_fsn,laterality,region,system"
FIRST = (
    "XCHES,XR Chest,Plain chest X-ray (procedure),,Chest,XR",
    "XFOOL,XR Foot Lt,,Left,Foot,XR",
    "XFOOR,XR Foot Rt,,Right,Foot,XR",
    "MKNEL,MR Knee Lt,,Left,Knee,MR",
    "CCHES,CT Chest,,,Chest,CT",
    "CABDO,CT Abdomen,,,Abdomen,CT",
)
JANUARY = Release("2026-01", date(2026, 1, 5))
APRIL = Release("2026-04", date(2026, 4, 1))


def put(
    database: Database, folder: Path, rows: tuple[str, ...], release: Release, *, header: str = HEADER, **how: Any
) -> Imported:
    path = folder / "exams.csv"
    path.write_text("\n".join([header, *rows]), encoding="utf-8")
    with database.app.begin() as connection:
        file = read_catalogue(path, own=release.trust is not None)
        return import_release(connection, file, release, by="test", **how)


def exams(database: Database, columns: str = "code") -> list[tuple[Any, ...]]:
    with database.owner.connect() as connection:
        return [tuple(row) for row in connection.execute(text(f"SELECT {columns} FROM exam ORDER BY code"))]


def exam(database: Database, code: str) -> Any:
    with database.owner.connect() as connection:
        return connection.execute(text("SELECT * FROM exam WHERE code = :code"), {"code": code}).one()


def mapped(database: Database, item_id: int) -> tuple[Any, ...]:
    with database.owner.connect() as connection:
        return tuple(
            connection.execute(
                text("SELECT exam_code, mapped_by, minutes_by FROM item_exam WHERE item_id = :item"), {"item": item_id}
            ).one()
        )


def test_a_national_row_brings_what_it_has_and_neither_minutes_nor_a_scope_group(
    network: Database, tmp_path: Path
) -> None:
    done = put(network, tmp_path, FIRST, JANUARY)
    assert (done.added, done.changed, done.retired) == (5, 1, 0)
    row = exam(network, "MKNEL")
    assert (row.modality, row.body_region, row.laterality, row.ionising) == ("MR", "knee", "left", False)
    assert (row.subspecialty, row.reporting_minutes) == (None, None)
    assert row.source == "national lookup, release 2026-01"
    assert exam(network, "XCHES").snomed_description == "Plain chest X-ray (procedure)"


def test_what_the_network_said_of_an_exam_stays_its_own(network: Database, tmp_path: Path) -> None:
    before = exam(network, "XCHES")
    put(network, tmp_path, FIRST, JANUARY)
    after = exam(network, "XCHES")
    assert (after.reporting_minutes, after.subspecialty) == (before.reporting_minutes, before.subspecialty)
    assert after.version == before.version + 1
    with network.owner.connect() as connection:
        kept = connection.execute(text("SELECT version, stated ->> 'source' FROM exam_version WHERE code = 'XCHES'"))
        assert sorted(tuple(row) for row in kept) == [(1, "test"), (2, "national lookup, release 2026-01")]


def test_a_code_that_a_later_release_lacks_is_retired_and_stays_valid_for_183_days(
    network: Database, tmp_path: Path
) -> None:
    put(network, tmp_path, FIRST, JANUARY)
    done = put(network, tmp_path, FIRST[:5], APRIL)
    assert (done.added, done.changed, done.unchanged, done.retired) == (0, 0, 5, 1)
    row = exam(network, "CABDO")
    assert (row.retired_on, row.valid_to) == (date(2026, 4, 1), date(2026, 10, 1))
    assert mapped(network, arrive(network, exam="CABDO"))[1] == "contradicts-images"  # known still: these are films
    put(network, tmp_path, FIRST, Release("2026-07", date(2026, 7, 1)))
    row = exam(network, "CABDO")
    assert (row.retired_on, row.valid_to) == (None, None)


def test_the_network_s_own_codes_are_not_retired_by_a_national_release(network: Database, tmp_path: Path) -> None:
    put(network, tmp_path, FIRST, JANUARY)
    assert exam(network, "XHANL").retired_on is None


def test_the_same_file_again_changes_nothing(network: Database, tmp_path: Path) -> None:
    put(network, tmp_path, FIRST, JANUARY)
    before = exams(network, "*")
    done = put(network, tmp_path, FIRST, JANUARY)
    assert (done.added, done.changed, done.retired) == (0, 0, 0)
    assert exams(network, "*") == before


@pytest.mark.parametrize(
    ("rows", "release", "told"),
    [
        (FIRST[:5], JANUARY, "release '2026-01' was imported and differs; give this file another --release"),
        (FIRST, Release("2025-10", date(2025, 10, 1)), "is newer; an older one would retire its codes"),
        (FIRST[:3], APRIL, "lacks 3 codes in force, such as CABDO, CCHES, MKNEL; is the file whole?"),
        (FIRST, Release("a", date(2026, 4, 1), "RXZ"), "no trust 'RXZ'; use one of RXA, RXB"),
    ],
)
def test_a_release_that_cannot_be_meant_is_refused_whole(
    network: Database, tmp_path: Path, rows: tuple[str, ...], release: Release, told: str
) -> None:
    put(network, tmp_path, FIRST, JANUARY)
    before = exams(network, "*")
    with pytest.raises(InvalidConfiguration) as refused:
        put(network, tmp_path, rows, release)
    assert told in str(refused.value)
    assert exams(network, "*") == before


def test_a_release_that_does_retire_many_may_be_meant(network: Database, tmp_path: Path) -> None:
    put(network, tmp_path, FIRST, JANUARY)
    assert put(network, tmp_path, FIRST[:3], APRIL, retire_many=True).retired == 3


def test_a_trust_s_file_maps_its_words_and_adds_its_own_exams_for_itself_alone(
    network: Database, tmp_path: Path
) -> None:
    rows = ("CXR1,Chest film,,,Chest,XR,XCHES", "XCHES,XR Chest,,,Chest,XR,", "XOWN,Our own film,,,Hand,XR,")
    done = put(network, tmp_path, rows, Release("1", date(2026, 1, 5), "RXA"), header=HEADER + ",maps_to")
    assert (done.added, done.words) == (1, 2)
    assert mapped(network, arrive(network, exam="CXR1"))[:2] == ("XCHES", "requested-code")
    assert mapped(network, arrive(network, exam="XOWN"))[:2] == ("XOWN", "requested-code")
    assert mapped(network, arrive(network, trust="RXB", exam="CXR1"))[:2] == (None, "unmapped")
    assert mapped(network, arrive(network, trust="RXB", exam="XOWN"))[:2] == (None, "unmapped")


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("CXR1,Chest film,,,Chest,XR,XNONE", "exams.csv:2: maps_to: no exam 'XNONE' in the catalogue"),
        ("XCHES,Chest and ribs,,,Chest,XR,", "exams.csv:2: short_code: XCHES is 'XR Chest' in the network's catalogue"),
    ],
)
def test_a_trust_s_code_that_means_nothing_or_something_else_is_a_fault(
    network: Database, tmp_path: Path, row: str, told: str
) -> None:
    with pytest.raises(InvalidConfiguration) as refused:
        put(network, tmp_path, (row,), Release("1", date(2026, 1, 5), "RXA"), header=HEADER + ",maps_to")
    assert told in str(refused.value)


def test_work_that_waits_with_a_new_code_is_mapped_and_may_be_read_by_who_classifies(
    network: Database, tmp_path: Path
) -> None:
    item_id = arrive(network, exam="XFOOL")
    assert mapped(network, item_id)[0] is None
    unmapped = eligible(network, item_id)
    assert put(network, tmp_path, FIRST, JANUARY).to_work_out == 1
    assert work_out_noted(network.app) == 1
    assert mapped(network, item_id) == ("XFOOL", "requested-code", "none")  # no minutes, and valued all the same
    assert eligible(network, item_id) == unmapped
    assert unmapped
    with network.owner.connect() as connection:
        in_index = text(
            "SELECT r.code FROM reporter_profile p JOIN reporter r ON r.id = p.reporter_id"
            " JOIN item i ON i.profile_id = p.profile_id WHERE i.id = :item"
        )
        assert set(connection.scalars(in_index, {"item": item_id})) >= unmapped


def test_a_release_that_is_rolled_back_leaves_nothing(network: Database, tmp_path: Path) -> None:
    before = exams(network, "*")
    path = tmp_path / "exams.csv"
    path.write_text("\n".join([HEADER, *FIRST]), encoding="utf-8")
    with network.app.connect() as connection:
        assert import_release(connection, read_catalogue(path), JANUARY, by="test").added == 5
        connection.rollback()
    assert exams(network, "*") == before
    assert network.count("SELECT count(*) FROM exam_release") == 0


def test_a_file_of_five_thousand_codes_is_imported_and_told_as_it_goes(network: Database, tmp_path: Path) -> None:
    rows = tuple(f"X{number:04d},XR Part {number},,,Part,XR" for number in range(5000))
    told: list[int] = []
    assert put(network, tmp_path, rows, JANUARY, on_written=told.append).added == 5000
    assert told[-1] == 5000
    assert len(told) > 10
    assert put(network, tmp_path, rows[:4500], APRIL).retired == 500
    assert mapped(network, arrive(network, exam="X4999"))[0] == "X4999"


def test_the_event_and_the_audit_tell_the_release_and_no_row_of_it(network: Database, tmp_path: Path) -> None:
    put(network, tmp_path, FIRST, JANUARY)
    with network.owner.connect() as connection:
        told = connection.execute(text("SELECT dimensions FROM event WHERE kind = 'catalogue.imported'")).scalar_one()
        actions = connection.scalars(text("SELECT action FROM audit.entry WHERE actor = 'test'")).all()
    assert (told["release"], told["added"]) == ("2026-01", 5)
    assert "catalogue imported" in actions


def eligible(database: Database, item_id: int) -> set[str]:
    with database.app.connect() as connection:
        row = load_item_row(connection, item_id)
        assert row is not None
        work = work_of_item(connection, row)
        return {one.code for one in load_reporters(connection).values() if judge(one, work, NOW).eligible}
