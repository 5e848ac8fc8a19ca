"""Takes a batch of received objects into the worklist: patients, studies, series, instances, items.

The caller answers its peers only after its commit. The same objects twice, in another order or in other
batches leave the same state (docs/decisions/0013-header-truth.md). Everyone locks in the order study, accession
number, patient, item, reading, claim. It must not judge completeness or due times;
`worklist.intake.completion` does.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import Any

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from worklist.db.engine import Viewer, view_as
from worklist.intake.accessions import lock_accessions
from worklist.intake.arrived import Arrival, StudyArrived, sort_arrivals
from worklist.intake.header_truth import Truth, settle
from worklist.intake.headers import Recorded, record_headers
from worklist.intake.item_doubts import settle_doubts
from worklist.intake.items import (
    Joined,
    accessions_in_question,
    join_items,
    links_of,
    settle_item_patients,
    spoken_of,
)
from worklist.intake.places import arrive
from worklist.intake.studies import (
    Locked,
    Taken,
    is_changed,
    lock_studies,
    make_studies,
    what_was_taken,
    write_studies,
)
from worklist.intake.study_patients import PatientsPlaced, drop_unnamed, place_patients, write_patients
from worklist.patients.items import settle_shown

__all__ = ["Arrival", "Fate", "Outcome", "take_in"]

log = structlog.get_logger(__name__)


class Fate(StrEnum):
    """What became of an object."""

    NEW = "new"
    KNOWN = "known"  # it had been taken before
    FAILED = "failed"  # its study could not be taken; nothing was written of it


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an object; of a failure `reason` is the type of the error, never a value."""

    fate: Fate
    reason: str = ""


_NEW, _KNOWN = Outcome(Fate.NEW), Outcome(Fate.KNOWN)
_Studies = Sequence[tuple[StudyArrived, Locked]]


def take_in(connection: Connection, arrivals: Sequence[Arrival]) -> list[Outcome]:
    """Take objects of any studies, senders and associations in, and give what became of each; the caller commits.

    A study that cannot be taken undoes no other. A fault of the database (away, deadlock, serialization) is
    nobody's in particular: it is raised, and the caller takes the whole batch in again.
    """
    outcomes = [_KNOWN] * len(arrivals)
    studies = sort_arrivals(arrivals)
    locked = list(zip(studies, lock_studies(connection, studies), strict=True)) if studies else []
    for trust, of_trust in groupby(sorted(locked, key=_trust), key=_trust):
        view_as(connection, Viewer(trust=trust))
        for place, outcome in _take_or_split(connection, trust, list(of_trust)).items():
            outcomes[place] = outcome
    _take_failed_again(connection, arrivals, outcomes)
    return outcomes


def _take_failed_again(connection: Connection, arrivals: Sequence[Arrival], outcomes: list[Outcome]) -> None:
    """Take what failed again in halves, so that of a study only the object at fault is left out."""
    failed = [place for place, outcome in enumerate(outcomes) if outcome.fate is Fate.FAILED]
    if len(failed) < 2:
        return
    half = len(failed) // 2
    for places in (failed[:half], failed[half:]):
        for place, outcome in zip(places, take_in(connection, [arrivals[each] for each in places]), strict=True):
            outcomes[place] = outcome


def _take_or_split(connection: Connection, trust: str, studies: _Studies) -> dict[int, Outcome]:
    """Take studies in together; where that fails, one by one, so that only the one at fault is left out."""
    try:
        with connection.begin_nested():
            return _take(connection, trust, studies)
    except (OperationalError, InterfaceError, PoolTimeout):
        raise
    except Exception as error:
        if len(studies) > 1:
            return {place: one for each in studies for place, one in _take_or_split(connection, trust, [each]).items()}
        log.error("study not taken", error=type(error).__name__)
        return dict.fromkeys(studies[0][0].places, Outcome(Fate.FAILED, type(error).__name__))


def _take(connection: Connection, trust: str, studies: _Studies) -> dict[int, Outcome]:
    known = {known.row.id: (one, known) for one, known in studies if known.row is not None}
    recorded = record_headers(connection, trust, {study_id: one for study_id, (one, _) in known.items()})
    taken = [_taken(*known[study_id], one) for study_id, one in recorded.items()]
    taken = [one for one in taken if is_changed(one)]
    new = [(one, known, settle(one.statements())) for one, known in studies if known.row is None]
    links = links_of(connection, [one.row.id for one in taken])
    in_question = {truth.accession_number for _, _, truth in new if truth.has_image and truth.accession_number}
    for each in taken:
        if each.after.has_image:
            number, completed = each.after.accession_number, each.row.completed_at is not None
            in_question |= accessions_in_question(links[each.row.id], accession_number=number, completed=completed)
    lock_accessions(connection, trust, in_question)
    placed = place_patients(connection, trust, [truth for _, _, truth in new], taken)
    taken += _make(connection, trust, new, placed)
    linked = [study_id for study_id, found in links.items() if found]
    arrived = arrive(connection, trust, taken, linked, spoken_of(connection, trust, in_question))
    write_studies(connection, taken, arrived.columns)
    persons = write_patients(connection, placed, taken)
    joined = _settle_items(connection, trust, taken, links, placed, arrived.waiting)
    shown = persons | {one.taken.row.patient_id for one in joined if one.before != one.after}
    if shown:
        settle_shown(connection, shown)
    places = {place for one in taken for place in one.recorded.new_places}
    return dict.fromkeys(places, _NEW)


def _taken(arrived: StudyArrived, known: Locked, recorded: Recorded) -> Taken:
    assert known.row is not None
    return what_was_taken(arrived, known.row, recorded, contested=known.contested)


def _trust(pair: tuple[StudyArrived, Locked]) -> str:
    return pair[0].trust


def _make(
    connection: Connection, trust: str, new: Sequence[tuple[StudyArrived, Locked, Truth]], placed: PatientsPlaced
) -> list[Taken]:
    """Make the studies of which nothing was known, and write their objects."""
    rows = make_studies(
        connection, [(one, truth, patient) for (one, _, truth), patient in zip(new, placed.of_new, strict=True)]
    )
    arrived = {row.id: one for row, (one, _, _) in zip(rows, new, strict=True)}
    recorded = record_headers(connection, trust, arrived)
    contested = {row.id: known.contested for row, (_, known, _) in zip(rows, new, strict=True)}
    return [what_was_taken(arrived[row.id], row, recorded[row.id], contested=contested[row.id]) for row in rows]


def _settle_items(
    connection: Connection,
    trust: str,
    taken: list[Taken],
    links: dict[int, Any],
    placed: PatientsPlaced,
    waiting: Collection[int],
) -> list[Joined]:
    taken = sorted(taken, key=lambda one: one.arrived.study_instance_uid)
    patients = {one.row.id: placed.moved.get(one.row.id, one.row.patient_id) for one in taken}
    joined = join_items(connection, trust, taken, links, patients, waiting)
    touched = {
        link.item_id
        for one in joined
        if (one.before != one.after and not one.opened) or one.taken.row.id in placed.moved
        for link in (one.before, one.after)
        if link is not None
    }
    settle_item_patients(connection, touched)
    drop_unnamed(connection, placed)
    settle_doubts(connection, joined, moved_patients=placed.moved)
    return joined
