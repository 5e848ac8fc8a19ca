"""Adds signed scopes of practice and rate cards; one that stands is never edited, a change is a new version.

It must not say who holds a scope; `people` does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, insert, select, text

from allocation.configuration.document import RateCard, Scope, Tariff, Window
from allocation.configuration.read import Fault, ReadNetwork
from allocation.configuration.rows import words
from allocation.pay import rate_card as pay
from worklist.db.tables.network import exam
from worklist.db.tables.pay import rate_card, rate_window, tariff
from worklist.db.tables.people import scope_of_practice

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def add_scopes(connection: Connection, read: ReadNetwork) -> list[Fault]:
    """Add new scope versions, their exams expanded and frozen; one that stands already must be the same."""
    catalogue = connection.execute(select(exam.c.code, exam.c.modality, exam.c.subspecialty)).all()
    faults = []
    for place, row in enumerate(read.network.scope):
        standing = connection.execute(
            select(scope_of_practice).where(
                scope_of_practice.c.code == row.code, scope_of_practice.c.version == row.version
            )
        ).one_or_none()
        if standing is None:
            connection.execute(insert(scope_of_practice).values(_scope_values(row, catalogue)))
        elif not _same_scope(connection, standing, row, catalogue):
            faults.append(
                read.fault(
                    ("scope", place, "version"),
                    f"scope {row.code!r} version {row.version} is signed and differs; give the change version"
                    f" {row.version + 1}",
                )
            )
    return faults


def add_rate_cards(connection: Connection, read: ReadNetwork) -> list[Fault]:
    """Add new rate-card versions; one that stands already is left, and must be the same."""
    faults = []
    for place, row in enumerate(read.network.rate_card):
        standing = connection.execute(
            select(rate_card).where(rate_card.c.code == row.code, rate_card.c.version == row.version)
        ).one_or_none()
        contradiction = _contradiction(row)
        if contradiction is not None:
            faults.append(read.fault(("rate_card", place, "tariffs"), contradiction))
        elif standing is None:
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


def _same_scope(connection: Connection, standing: Any, row: Scope, catalogue: Sequence[Any]) -> bool:
    """Whether a row says what the signed one said when it was imported, or else what the signed one is.

    The catalogue may have grown since: what a region would take in today says nothing.
    """
    signed = connection.execute(_SIGNED, {"code": row.code, "version": row.version}).scalars().first()
    if signed is not None:
        return bool(_unordered(signed) == _unordered(_plain(row)))
    values = _scope_values(row, catalogue)
    return all(_unordered(getattr(standing, name)) == _unordered(value) for name, value in values.items())


def _plain(row: Scope) -> dict[str, Any]:
    return row.model_dump(mode="json", exclude_defaults=True)


def _unordered(value: Any) -> Any:
    """Give a value in which the order of lists does not count."""
    if isinstance(value, Mapping):
        return {name: _unordered(one) for name, one in value.items()}
    if isinstance(value, list):
        return sorted((_unordered(one) for one in value), key=repr)
    return value


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
        "settings": words(row.settings),
        "excluded_flags": list(row.excluded_flags),
        "classifies_unmapped": row.classifies_unmapped,
        "signed_by": row.signed_by,
        "valid_from": row.valid_from,
        "valid_until": row.valid_until,
    }


def _add_rate_card(connection: Connection, row: RateCard) -> None:
    card_id = connection.execute(
        insert(rate_card)
        .values(**row.model_dump(exclude={"tariffs", "windows", "approved_by"}), approved_by=list(row.approved_by))
        .returning(rate_card.c.id)
    ).scalar_one()
    connection.execute(insert(tariff), [{"rate_card_id": card_id, **values} for values in _tariff_values(row)])
    if row.windows:
        connection.execute(insert(rate_window), [{"rate_card_id": card_id, **values} for values in _window_values(row)])


def _contradiction(row: RateCard) -> str | None:
    """Say why a card could not be priced in one way only; None where it can."""
    try:
        pay.RateCard(
            id=0,
            code=row.code,
            version=row.version,
            valid_from=row.valid_from,
            valid_to=row.valid_to,
            approved_by=row.approved_by,
            tariffs=tuple(_tariff(one) for one in row.tariffs),
            windows=tuple(_window(one) for one in row.windows),
            additional_exam_percent=row.additional_exam_percent,
        )
    except pay.InvalidRateCard as error:
        return str(error)
    return None


def _tariff(one: Tariff) -> pay.Tariff:
    return pay.Tariff(
        one.code,
        pay.TariffUnit(one.unit),
        one.amount_pence,
        frozenset(one.purposes),
        None if one.exam_codes is None else frozenset(one.exam_codes),
        None if one.modalities is None else frozenset(one.modalities),
    )


def _window(one: Window) -> pay.Window:
    days = frozenset(_DAYS.index(day) for day in one.days)
    return pay.Window(one.name, days, one.starts, one.ends, one.bank_holidays, one.multiplier_percent)


def _same_card(connection: Connection, standing: Any, row: RateCard) -> bool:
    def stored(table: Table) -> list[dict[str, Any]]:
        rows = connection.execute(select(table).where(table.c.rate_card_id == standing.id)).mappings()
        return [{key: value for key, value in one.items() if key != "rate_card_id"} for one in rows]

    def in_order(rows: list[dict[str, Any]]) -> list[str]:
        return sorted(repr(sorted(one.items())) for one in rows)

    head = row.model_dump(exclude={"tariffs", "windows"}) | {"approved_by": list(row.approved_by)}
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
            "exam_codes": words(one.exam_codes),
            "modalities": words(one.modalities),
        }
        for one in row.tariffs
    ]


def _window_values(row: RateCard) -> list[dict[str, Any]]:
    return [
        {**one.model_dump(exclude={"days"}), "days": sorted(_DAYS.index(day) for day in one.days)}
        for one in row.windows
    ]


#: How documents imported before this one stated a scope, the signed statement first.
_SIGNED = text(
    "SELECT stated FROM config_version, jsonb_array_elements(document -> 'scope') AS stated"
    " WHERE stated ->> 'code' = :code AND CAST(stated ->> 'version' AS integer) = :version ORDER BY id LIMIT 1"
)
