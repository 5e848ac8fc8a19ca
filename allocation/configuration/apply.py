"""Puts a configuration into effect, all or nothing, in the caller's transaction; keeps who, when, what.

Rows are matched by their names; what a document leaves out stays as it was. Standing rate cards and
signed scopes are never edited: a change needs a new version.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Table, delete, insert, select, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError

from allocation.configuration.document import Network, RateCard, Reporter, Scope, Session
from allocation.configuration.read import Fault, InvalidConfiguration, ReadNetwork
from allocation.configuration.references import Known, check_references
from allocation.workforce import rebuild_index
from worklist import audit, events
from worklist.completion import CUT_LOCK, reprofile
from worklist.db.tables.network import (
    config_version,
    exam,
    exam_alias,
    exam_group,
    profile_cut,
    ris,
    source,
    target_rule,
    trust,
)
from worklist.db.tables.pay import outsource_price, rate_card, rate_window, tariff
from worklist.db.tables.people import (
    engagement,
    entitlement,
    registration,
    reporter,
    reporting_session,
    scope_grant,
    scope_of_practice,
)
from worklist.db.tables.work import item
from worklist.exam_codes import normal
from worklist.item import UNREPORTED
from worklist.local_time import LONDON
from worklist.profile import ScopeTerms, age_cuts, exam_group_key, exam_groups

#: Modalities without ionising radiation; all others fall under IR(ME)R 2017.
_NOT_IONISING = frozenset({"MR", "US", "OP", "ES"})
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Applied:
    """What an import did: rows per table, and how many waiting items got another profile."""

    rows: dict[str, int]
    reprofiled: int


def apply(connection: Connection, read: ReadNetwork, *, by: str) -> Applied:
    """Put a configuration into effect; the caller commits, or rolls back for a dry run.

    Raises
    ------
    InvalidConfiguration
        With every fault; the transaction is to be rolled back then.
    """
    faults = check_references(read, _known(connection))
    if faults:
        raise InvalidConfiguration(faults)
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": CUT_LOCK})
    network = read.network
    _record(connection, read, by)
    _network_rows(connection, network)
    faults = [*_scopes(connection, read), *_rate_cards(connection, read)]
    if faults:
        raise InvalidConfiguration(faults)
    for row in network.reporter:
        _reporter(connection, row)
    faults = _sessions(connection, read)
    if faults:
        raise InvalidConfiguration(faults)
    reprofiled = _recut(connection)
    rebuild_index(connection)
    rows = {name: len(getattr(network, name)) for name in Network.model_fields if getattr(network, name)}
    events.append(connection, "configuration.imported", dimensions={"rows": rows})
    audit.append(connection, by, "configuration imported", detail={"rows": rows})
    return Applied(rows, reprofiled)


def _known(connection: Connection) -> Known:
    def names(column: Any) -> frozenset[str]:
        return frozenset(connection.scalars(select(column)))

    return Known(
        names(trust.c.ods_code),
        names(exam.c.code),
        names(scope_of_practice.c.code),
        names(reporter.c.code),
        names(engagement.c.code),
    )


def _record(connection: Connection, read: ReadNetwork, by: str) -> None:
    whole = "\n".join(one.text for one in read.sources)
    connection.execute(
        insert(config_version).values(
            imported_by=by,
            file_name=", ".join(one.name for one in read.sources),
            sha256=hashlib.sha256(whole.encode()).hexdigest(),
            document=read.network.model_dump(mode="json", exclude_defaults=True),
        )
    )


def _network_rows(connection: Connection, network: Network) -> None:
    _put(connection, trust, ["ods_code"], [{"ods_code": row.ods_code, "name": row.name} for row in network.trust])
    _put(
        connection,
        source,
        ["ae_title"],
        [
            {
                "ae_title": row.ae_title,
                "trust_ods": row.trust,
                "address": row.address,
                "certificate_subject": row.certificate_subject,
                "quiet_seconds": row.quiet_seconds,
                "services": [service.model_dump(mode="json") for service in row.services],
            }
            for row in network.source
        ],
    )
    _put(
        connection,
        ris,
        ["sending_facility"],
        [{"trust_ods": row.trust, **row.model_dump(exclude={"trust"})} for row in network.ris],
    )
    _put(
        connection,
        exam,
        ["code"],
        [{**row.model_dump(), "ionising": row.modality not in _NOT_IONISING} for row in network.exam],
    )
    _put(
        connection,
        exam_alias,
        ["trust_ods", "kind", "value"],
        [
            {"trust_ods": row.trust, "kind": row.kind, "value": normal(row.value), "exam_code": row.exam}
            for row in network.exam_alias
        ],
    )
    _put(
        connection,
        target_rule,
        ["code", "valid_from"],
        [
            {
                **row.model_dump(exclude={"id", "trust", "modalities", "exam_codes"}),
                "code": row.id,
                "trust_ods": row.trust,
                "modalities": _list(row.modalities),
                "exam_codes": _list(row.exam_codes),
            }
            for row in network.target
        ],
    )
    _put(
        connection,
        outsource_price,
        ["modality", "valid_from"],
        [row.model_dump() for row in network.outsource_price],
    )


def _scopes(connection: Connection, read: ReadNetwork) -> list[Fault]:
    """Add new scope versions; a version that stands already must be the same."""
    catalogue = connection.execute(select(exam.c.code, exam.c.modality, exam.c.subspecialty)).all()
    faults = []
    for place, row in enumerate(read.network.scope):
        values = _scope_values(row, catalogue)
        standing = connection.execute(
            select(scope_of_practice).where(
                scope_of_practice.c.code == row.code, scope_of_practice.c.version == row.version
            )
        ).one_or_none()
        if standing is None:
            connection.execute(insert(scope_of_practice).values(values))
        elif any(getattr(standing, name) != value for name, value in values.items() if name != "exam_codes"):
            faults.append(
                read.fault(
                    ("scope", place, "version"),
                    f"scope {row.code!r} version {row.version} is signed and differs; give the change version {row.version + 1}",
                )
            )
    return faults


def _scope_values(row: Scope, catalogue: Sequence[Any]) -> dict[str, Any]:
    codes = set(row.exam_codes)
    for region in row.regions:
        codes |= {
            one.code
            for one in catalogue
            if one.modality == region.modality
            and (region.subspecialties is None or one.subspecialty in region.subspecialties)
        }
    return {
        "code": row.code,
        "version": row.version,
        "name": row.name,
        "exam_codes": sorted(codes),
        "min_age_years": row.min_age_years,
        "max_age_years": row.max_age_years,
        "settings": _list(row.settings),
        "excluded_flags": list(row.excluded_flags),
        "classifies_unmapped": row.classifies_unmapped,
        "signed_by": row.signed_by,
        "valid_from": row.valid_from,
        "valid_until": row.valid_until,
    }


def _rate_cards(connection: Connection, read: ReadNetwork) -> list[Fault]:
    """Add new rate-card versions; one that stands already is left, and must be the same."""
    faults = []
    for place, row in enumerate(read.network.rate_card):
        standing = connection.execute(
            select(rate_card).where(rate_card.c.code == row.code, rate_card.c.version == row.version)
        ).one_or_none()
        if standing is None:
            _add_rate_card(connection, row)
        elif not _same_card(connection, standing, row):
            faults.append(
                read.fault(
                    ("rate_card", place, "version"),
                    f"rate card {row.code!r} version {row.version} stands and differs; rate cards are never edited,"
                    f" give the change version {row.version + 1}",
                )
            )
    return faults


def _add_rate_card(connection: Connection, row: RateCard) -> None:
    card_id = connection.execute(
        insert(rate_card)
        .values(
            **row.model_dump(exclude={"tariffs", "windows", "approved_by"}), approved_by=list(row.approved_by)
        )
        .returning(rate_card.c.id)
    ).scalar_one()
    connection.execute(insert(tariff), [{"rate_card_id": card_id, **values} for values in _tariff_values(row)])
    if row.windows:
        connection.execute(insert(rate_window), [{"rate_card_id": card_id, **values} for values in _window_values(row)])


def _same_card(connection: Connection, standing: Any, row: RateCard) -> bool:
    def stored(table: Table) -> list[dict[str, Any]]:
        rows = connection.execute(select(table).where(table.c.rate_card_id == standing.id)).mappings()
        return [{key: value for key, value in one.items() if key != "rate_card_id"} for one in rows]

    def in_order(rows: list[dict[str, Any]]) -> list[str]:
        return sorted(repr(sorted(one.items())) for one in rows)

    head = row.model_dump(exclude={"tariffs", "windows", "approved_by"})
    return (
        all(getattr(standing, key) == value for key, value in head.items())
        and in_order(stored(tariff)) == in_order(_tariff_values(row))
        and in_order(stored(rate_window)) == in_order(_window_values(row))
    )


def _tariff_values(row: RateCard) -> list[dict[str, Any]]:
    return [
        {
            **one.model_dump(exclude={"purposes", "exam_codes", "modalities"}),
            "purposes": list(one.purposes),
            "exam_codes": _list(one.exam_codes),
            "modalities": _list(one.modalities),
        }
        for one in row.tariffs
    ]


def _window_values(row: RateCard) -> list[dict[str, Any]]:
    return [
        {**one.model_dump(exclude={"days"}), "days": sorted(_DAYS.index(day) for day in one.days)}
        for one in row.windows
    ]


def _reporter(connection: Connection, row: Reporter) -> None:
    reporter_id = connection.execute(
        upsert(reporter)
        .values(
            code=row.id,
            name=row.name,
            profession=row.profession,
            grade=row.grade,
            subspecialties=row.subspecialties,
        )
        .on_conflict_do_update(
            index_elements=["code"],
            set_={
                "name": row.name,
                "profession": row.profession,
                "grade": row.grade,
                "subspecialties": row.subspecialties,
            },
        )
        .returning(reporter.c.id)
    ).scalar_one()
    for table in (registration, entitlement):
        connection.execute(delete(table).where(table.c.reporter_id == reporter_id))
    connection.execute(
        insert(registration), [{"reporter_id": reporter_id, **one.model_dump()} for one in row.registrations]
    )
    if row.entitlements:
        connection.execute(
            insert(entitlement),
            [
                {"reporter_id": reporter_id, "trust_ods": one.trust, **one.model_dump(exclude={"trust"})}
                for one in row.entitlements
            ],
        )
    _put(
        connection, engagement, ["code"], [{"reporter_id": reporter_id, **one.model_dump()} for one in row.engagements]
    )
    _grants(connection, reporter_id, row)


def _grants(connection: Connection, reporter_id: int, row: Reporter) -> None:
    """Bring grants in step: each names a scope by code and means its newest version."""
    newest = {
        one.code: one.id
        for one in connection.execute(
            select(scope_of_practice.c.code, scope_of_practice.c.id).order_by(scope_of_practice.c.version)
        )
    }
    wanted = [newest[one.scope] for one in row.grants]
    connection.execute(
        delete(scope_grant).where(scope_grant.c.reporter_id == reporter_id, scope_grant.c.scope_id.not_in(wanted))
    )
    _put(
        connection,
        scope_grant,
        ["reporter_id", "scope_id"],
        [
            {
                "reporter_id": reporter_id,
                "scope_id": newest[one.scope],
                **one.model_dump(exclude={"scope", "settings"}),
                "settings": _list(one.settings),
            }
            for one in row.grants
        ],
    )


def _sessions(connection: Connection, read: ReadNetwork) -> list[Fault]:
    faults = []
    for place, row in enumerate(read.network.session):
        try:
            with connection.begin_nested():
                _session(connection, row)
        except IntegrityError:
            faults.append(read.fault(("session", place, "starts"), f"overlaps another session of {row.reporter}"))
    return faults


def _session(connection: Connection, row: Session) -> None:
    own = connection.execute(
        select(reporter.c.id, engagement.c.id.label("engagement_id"))
        .join(engagement, engagement.c.reporter_id == reporter.c.id)
        .where(reporter.c.code == row.reporter, engagement.c.code == row.engagement)
    ).one()
    values = {
        "reporter_id": own.id,
        "engagement_id": own.engagement_id,
        "kind": row.kind,
        "starts_at": _instant(row.starts),
        "ends_at": _instant(row.ends),
        "location": row.location,
        "trusts": _list(row.trusts),
        "modalities": _list(row.modalities),
        "outside_job_plan_attested": row.outside_job_plan,
    }
    connection.execute(
        upsert(reporting_session)
        .values(code=row.id, **values)
        .on_conflict_do_update(index_elements=["code"], set_=values)
    )


def _recut(connection: Connection) -> int:
    """Cut exams and ages anew after the scopes in force, and give waiting items their new profiles."""
    scopes = connection.execute(select(scope_of_practice)).all()
    narrower = connection.execute(select(scope_grant.c.min_age_years, scope_grant.c.max_age_years)).all()
    terms = [ScopeTerms(frozenset(one.exam_codes), one.min_age_years, one.max_age_years) for one in scopes]
    ages = [ScopeTerms(frozenset(), one.min_age_years, one.max_age_years) for one in narrower]
    ionising = {one.code: one.ionising for one in connection.execute(select(exam.c.code, exam.c.ionising))}
    group_of_exam: dict[str, int] = {}
    for codes in exam_groups(ionising, terms):
        number = _group_id(connection, codes, ionising=ionising[codes[0]])
        group_of_exam |= dict.fromkeys(codes, number)
    cuts = list(age_cuts([*terms, *ages]))
    newest = connection.execute(select(profile_cut).order_by(profile_cut.c.id.desc()).limit(1)).one_or_none()
    if newest is not None and newest.age_cuts == cuts and newest.group_of_exam == group_of_exam:
        return 0
    connection.execute(insert(profile_cut).values(age_cuts=cuts, group_of_exam=group_of_exam))
    waiting = connection.scalars(
        select(item.c.id)
        .where(item.c.state.in_([state.value for state in UNREPORTED]), item.c.profile_id.is_not(None))
        .order_by(item.c.id)
    ).all()
    for item_id in waiting:
        reprofile(connection, item_id)
    return len(waiting)


def _group_id(connection: Connection, codes: Sequence[str], *, ionising: bool) -> int:
    key = exam_group_key(codes)
    found = connection.scalar(select(exam_group.c.id).where(exam_group.c.key == key))
    if found is not None:
        return found
    return int(
        connection.execute(
            insert(exam_group)
            .values(key=key, exam_codes=list(codes), ionising=ionising)
            .returning(exam_group.c.id)
        ).scalar_one()
    )


def _put(connection: Connection, table: Table, keys: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows or bring those with the same key up to date."""
    for values in rows:
        changes = {name: value for name, value in values.items() if name not in keys}
        connection.execute(upsert(table).values(values).on_conflict_do_update(index_elements=list(keys), set_=changes))


def _instant(moment: datetime) -> datetime:
    """Give the instant of a document's time; without an offset it is Europe/London."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=LONDON)).astimezone(UTC)


def _list(values: Sequence[Any] | None) -> list[str] | None:
    return None if values is None else [str(value) for value in values]
