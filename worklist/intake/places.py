"""Says of studies that arrive whose work they are, as far as that is plain; the rest is noted to be worked out.

What is noted is worked out soon after, from everything that is known then (`worklist.intake.placing`). It must not
touch items.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select, text
from sqlalchemy.dialects.postgresql import insert

from worklist.db.tables.network import source, trust
from worklist.db.tables.work import order_identity, study_to_place
from worklist.intake.header_truth import Truth, accession_numbers
from worklist.intake.ownership import Performers, PriorBecause, is_old, performers
from worklist.intake.studies import Taken, lock_uids
from worklist.local_time import LONDON


@dataclass(frozen=True, slots=True)
class Senders:
    """What the configuration states of sources: whom headers name as performer, and from when on a study is old."""

    performers: Mapping[str, Performers]
    old_after_days: Mapping[str, int | None]

    def performed_by(self, truth: Truth) -> str | None:
        """Give whom the headers of a study name as its performer."""
        values = truth.values
        issuer, institution = values.get("IssuerOfAccessionNumberSequence"), values.get("InstitutionName")
        return self.performers[truth.source_ae_title].named_by(issuer, institution)

    def is_old(self, one: Taken) -> bool:
        """Whether a study is older than its source's are without an order."""
        received_on = one.row.first_received_at.astimezone(LONDON).date()
        return is_old(one.after.study_date, received_on, self.old_after_days[one.after.source_ae_title])


@dataclass(frozen=True, slots=True)
class Arrived:
    """What is plain of studies at their arrival: the columns of their rows, by id, and which look for no item now."""

    columns: Mapping[int, Mapping[str, Any]]
    waiting: frozenset[int]


def senders_of(connection: Connection, ae_titles: Collection[str]) -> Senders:
    """Give what the configuration states of sources."""
    names = {row.ods_code: row.known_as for row in connection.execute(select(trust.c.ods_code, trust.c.known_as))}
    columns = (source.c.ae_title, source.c.elsewhere, source.c.old_after_days)
    rows = connection.execute(select(*columns).where(source.c.ae_title.in_(ae_titles))).all()
    return Senders(
        {row.ae_title: performers(names, row.elsewhere) for row in rows},
        {row.ae_title: row.old_after_days for row in rows},
    )


def numbers_by_order(connection: Connection, trust_ods: str, uids: Collection[str]) -> dict[str, set[str]]:
    """Give the accession numbers of the orders that name StudyInstanceUIDs, by UID."""
    found: dict[str, set[str]] = {}
    if uids:
        for row in connection.execute(
            select(order_identity.c.study_instance_uid, order_identity.c.accession_number).where(
                order_identity.c.trust_ods == trust_ods,
                order_identity.c.study_instance_uid.in_(uids),
                order_identity.c.accession_number.is_not(None),
            )
        ):
            found.setdefault(row.study_instance_uid, set()).add(row.accession_number)
    return found


def arrive(
    connection: Connection, trust_ods: str, taken: Sequence[Taken], linked: Collection[int], ordered: Collection[str]
) -> Arrived:
    """Say whose work studies are that a trust's sources sent, and note those of which it is not plain.

    `linked` are studies that have an item, `ordered` the accession numbers that the home RIS spoke of.
    """
    senders = senders_of(connection, {one.after.source_ae_title for one in taken})
    unjoined = [one.arrived.study_instance_uid for one in taken if one.row.id not in linked]
    named = numbers_by_order(connection, trust_ods, unjoined)
    columns: dict[int, dict[str, Any]] = {}
    waiting, noted = set[int](), set[int]()
    for one in taken:
        study_id, by = one.row.id, senders.performed_by(one.after)
        columns[study_id] = {"performed_by": by}
        if not one.after.has_image:
            continue
        because = _because(one, by, trust_ods, senders, ordered)
        is_prior, is_named = one.row.prior_because is not None, one.arrived.study_instance_uid in named
        if study_id not in linked and (because or is_prior or is_named):
            waiting.add(study_id)
            columns[study_id]["prior_because"] = one.row.prior_because or (because and because.value)
        several = len(accession_numbers(one.recorded.after)) > 1
        if because or is_prior or is_named or one.contested or several:
            noted.add(study_id)
    note_to_place(connection, noted)
    return Arrived(columns, frozenset(waiting))


def _because(
    one: Taken, by: str | None, trust_ods: str, senders: Senders, ordered: Collection[str]
) -> PriorBecause | None:
    if by not in (None, trust_ods):
        return PriorBecause.PERFORMED_ELSEWHERE
    if one.contested and by is None:
        return PriorBecause.OF_ANOTHER_TRUST  # until it is worked out whose it is
    if senders.is_old(one) and one.after.accession_number not in ordered:
        return PriorBecause.OLD_WITHOUT_ORDER
    return None


def note_to_place(connection: Connection, study_ids: Collection[int]) -> None:
    """Note that it is to be worked out anew whose work studies are; those that are noted already stay so."""
    if study_ids:
        rows = [{"study_id": one} for one in sorted(study_ids)]
        connection.execute(insert(study_to_place).on_conflict_do_nothing(), rows)


def note_spoken_of(
    connection: Connection, trust_ods: str, accession_numbers: Collection[str], uids: Collection[str] = ()
) -> None:
    """Note the studies that what the home RIS says of accessions, which are locked, may make work of a trust."""
    known = {"trust": trust_ods, "numbers": list(accession_numbers), "uids": list(uids)}
    connection.execute(_NOTE_WAITING, known)


def note_contested(connection: Connection) -> None:
    """Note the studies that several trusts sent: other words may name their performer now."""
    connection.execute(_NOTE_CONTESTED)


def lock_named(connection: Connection, uids: Collection[str]) -> None:
    """Hold the StudyInstanceUIDs that orders name, before their accessions: then images find them, or they images."""
    if uids:
        lock_uids(connection, list(uids))


_NOTE_WAITING = text(
    "INSERT INTO study_to_place (study_id)"
    " SELECT study_id FROM study_waiting WHERE trust_ods = :trust AND accession_number = ANY (CAST(:numbers AS text[]))"
    " UNION SELECT study_id FROM study_identity"
    " WHERE trust_ods = :trust AND study_instance_uid = ANY (CAST(:uids AS text[]))"
    " ON CONFLICT DO NOTHING"
)
_NOTE_CONTESTED = text(
    "INSERT INTO study_to_place (study_id) SELECT id FROM study WHERE prior_because = 'of-another-trust'"
    " ON CONFLICT DO NOTHING"
)
