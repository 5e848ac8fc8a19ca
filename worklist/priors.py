"""Reads what came before of an item's patient: items of the same trust, and the PACS that can be asked for more.

Row-level security decides whether the patient is the viewer's to see. Reading is an act: callers append the audit
entry in the same transaction. It must not ask a PACS.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, exists, or_, select

from worklist.db.tables.network import source
from worklist.db.tables.work import item, item_study, patient, study, study_identity
from worklist.item import ItemState
from worklist.item_view import ItemView, read_items

#: The newest so many items are given.
_MOST_PRIORS = 200
#: So many PACS of a trust are asked, those that sent the item's images first.
_MOST_ASKED = 3
#: A PACS is asked about so many identifiers of a patient, the surviving one and those merged last.
_MOST_IDENTITIES = 5
_NO_PRIORS = (ItemState.ORDERED.value, ItemState.CANCELLED.value)


@dataclass(frozen=True, slots=True)
class Prior:
    """An item of the same patient, and the local day of its exam where it is known."""

    view: ItemView
    exam_date: date | None


@dataclass(frozen=True, slots=True)
class PriorStudy:
    """A study of the same patient that came and is no work here: why, and who is named as its performer.

    `study_instance_uid` None: not for this viewer. `exam_date` is the local day that its headers state.
    """

    study_instance_uid: str | None
    exam_date: date | None
    modalities: tuple[str, ...]
    description: str | None
    because: str
    performed_by: str | None


@dataclass(frozen=True, slots=True)
class History:
    """What is known of a patient besides one item, the newest first.

    `identities` are the trust's own for the patient, (identifier, issuer): who survives first, then those merged into
    them, under which PACS may know the patient still. `asked` are sources of the trust that take queries:
    AE title, and what the configuration states of them.
    """

    identities: tuple[tuple[str, str | None], ...]
    priors: tuple[Prior, ...]
    studies: tuple[PriorStudy, ...]
    asked: tuple[tuple[str, dict[str, Any]], ...]


def read_history(connection: Connection, item_id: int) -> History | None:
    """Give what came before of an item's patient; None when the patient is not this viewer's to see."""
    known = connection.execute(
        select(item.c.trust_ods, patient.c.id)
        .join(patient, patient.c.id == item.c.patient_id)
        .where(item.c.id == item_id)
    ).one_or_none()
    if known is None:
        return None
    days = {
        row.id: row.exam_date
        for row in connection.execute(
            select(item.c.id, item.c.exam_date)
            .where(
                item.c.patient_id == known.id,
                item.c.trust_ods == known.trust_ods,
                item.c.id != item_id,
                item.c.state.not_in(_NO_PRIORS),
            )
            .order_by(item.c.exam_date.desc().nulls_last(), item.c.id.desc())
            .limit(_MOST_PRIORS)
        )
    }
    priors = tuple(Prior(view, days[view.id]) for view in read_items(connection, list(days)))
    return History(
        _identities(connection, known.id),
        priors,
        _studies_of(connection, known.id, known.trust_ods),
        _sources_to_ask(connection, item_id, known.trust_ods),
    )


def _identities(connection: Connection, patient_id: int) -> tuple[tuple[str, str | None], ...]:
    rows = connection.execute(
        select(patient.c.identifier, patient.c.issuer)
        .where(or_(patient.c.id == patient_id, patient.c.merged_into == patient_id), patient.c.identifier.is_not(None))
        .order_by(patient.c.id != patient_id, patient.c.id.desc())
        .limit(_MOST_IDENTITIES)
    )
    return tuple((row.identifier, row.issuer or None) for row in rows)


def _studies_of(connection: Connection, patient_id: int, trust: str) -> tuple[PriorStudy, ...]:
    persons = select(patient.c.id).where(or_(patient.c.id == patient_id, patient.c.merged_into == patient_id))
    rows = connection.execute(
        select(study, study_identity.c.study_instance_uid)
        .outerjoin(study_identity, study_identity.c.study_id == study.c.id)
        .where(study.c.patient_id.in_(persons), study.c.trust_ods == trust, study.c.prior_because.is_not(None))
        .order_by(study.c.facts["study_date"][0].astext.desc().nulls_last(), study.c.id.desc())
        .limit(_MOST_PRIORS)
    )
    return tuple(
        PriorStudy(
            row.study_instance_uid,
            next((date.fromisoformat(one) for one in row.facts.get("study_date", ())), None),
            tuple(row.modalities),
            next(iter(row.facts.get("description", ())), None),
            row.prior_because,
            row.performed_by,
        )
        for row in rows
    )


def _sources_to_ask(connection: Connection, item_id: int, trust: str) -> tuple[tuple[str, dict[str, Any]], ...]:
    sent = exists().where(
        item_study.c.item_id == item_id,
        study.c.id == item_study.c.study_id,
        study.c.source_ae_title == source.c.ae_title,
    )
    rows = connection.execute(
        select(source.c.ae_title, source.c.query)
        .where(source.c.trust_ods == trust, source.c.active, source.c.query.is_not(None))
        .order_by(sent.desc(), source.c.ae_title)
        .limit(_MOST_ASKED)
    )
    return tuple((row.ae_title, row.query) for row in rows)
