"""Puts a release of an exam catalogue into effect, all or nothing, in the caller's transaction.

A release never deletes: a code that it lacks is retired from its date and stays valid for a while. It brings neither
minutes nor scope groups and leaves those that stand. It must not read files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from allocation.configuration.read import Fault, InvalidConfiguration
from allocation.configuration.recut import recut
from allocation.exam_catalogue.changes import (
    RETIRED_VALID_DAYS,
    Changes,
    Standing,
    Stated,
    changes_of,
    code_faults,
    last_valid_day,
    retires_too_much,
)
from allocation.exam_catalogue.file import CatalogueFile, CatalogueRow
from allocation.workforce import hold_index, rebuild_index
from worklist.db.tables.catalogue import exam_release
from worklist.db.tables.network import exam, trust
from worklist.exams.codes import ALWAYS, AliasKind, normal
from worklist.exams.mappings import Word, state_word
from worklist.intake.remapping import ask_to_work_out_unmapped
from worklist.intake.working_out import CUT_LOCK
from worklist.log import audit, events

#: Rows written between two calls of the listener.
_CHUNK = 250


@dataclass(frozen=True, slots=True)
class Release:
    """Which release a file is: its name, the local date from which it is in force, the trust whose own it is."""

    name: str
    released_on: date
    trust: str | None = None
    retired_valid_days: int = RETIRED_VALID_DAYS

    @property
    def catalogue(self) -> str:
        """Whose catalogue it is of."""
        return "national" if self.trust is None else "trust"

    @property
    def source(self) -> str:
        """What stands as the source of its rows."""
        return f"{'national lookup' if self.trust is None else f'catalogue of {self.trust}'}, release {self.name}"


@dataclass(frozen=True, slots=True)
class Imported:
    """What a release did: how many codes of each kind, how many words of the trust, how many waiting items follow."""

    added: int
    changed: int
    unchanged: int
    retired: int
    words: int
    reprofiled: int
    to_work_out: int


def import_release(
    connection: Connection,
    file: CatalogueFile,
    release: Release,
    *,
    by: str,
    retire_many: bool = False,
    on_written: Callable[[int], None] = lambda _: None,
) -> Imported:
    """Put a release into effect; the caller commits, or rolls back for a dry run. `on_written` hears rows written.

    The same file again changes nothing. Waiting items with unmapped exams are noted to be worked out again.

    Raises
    ------
    InvalidConfiguration
        With every fault; the transaction is to be rolled back then.
    """
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": CUT_LOCK})
    standing = _standing(connection)
    own = [_stated(row) for row in file.rows if row.maps_to is None and not _is_networks(row, standing, release)]
    changes = changes_of(own, standing, release.trust)
    _refuse(
        [
            *_release_faults(connection, file, release),
            *_row_faults(file, own, standing, release),
            *_retirement_faults(file, changes, standing, release, meant=retire_many),
        ]
    )
    first = connection.scalar(select(exam_release.c.id).where(*_same_catalogue(release)).limit(1)) is None
    release_id = _record(connection, file, release, changes, by)
    if release_id is None:
        return Imported(0, 0, len(file.rows), 0, 0, 0, 0)
    # what the first release names was in use before it, nobody knows since when
    valid_from = ALWAYS if first else release.released_on
    _write(connection, changes, release, release_id, valid_from, on_written)
    words = _state_words(connection, file.rows, standing, release, by, on_written)
    hold_index(connection)  # before the items, as those who claim do
    reprofiled = recut(connection)
    rebuild_index(connection)
    noted = ask_to_work_out_unmapped(connection, "catalogue")
    done = Imported(
        len(changes.added), len(changes.changed), len(changes.unchanged), len(changes.retired), words, reprofiled, noted
    )
    told = {"catalogue": release.catalogue, "release": release.name, **asdict(done)}
    events.append(connection, "catalogue.imported", trust=release.trust, dimensions=told)
    audit.append(connection, by, "catalogue imported", detail={"trust": release.trust, **told})
    return done


def _refuse(faults: Sequence[Fault]) -> None:
    if faults:
        raise InvalidConfiguration(faults)


def _standing(connection: Connection) -> dict[str, Standing]:
    rows = connection.execute(select(exam))
    return {
        row.code: Standing(
            Stated(row.code, row.description, row.snomed_description, row.laterality, row.body_region, row.modality),
            row.trust_ods,
            row.release_id is not None,
            row.retired_on is not None,
        )
        for row in rows
    }


def _stated(row: CatalogueRow) -> Stated:
    return Stated(row.code, row.description, row.snomed_description, row.laterality, row.body_region, row.modality)


def _is_networks(row: CatalogueRow, standing: dict[str, Standing], release: Release) -> bool:
    """Whether a row of a trust's file only repeats an exam of the network's catalogue, which then stays as it is."""
    known = standing.get(row.code)
    return (
        release.trust is not None
        and known is not None
        and known.trust is None
        and normal(known.stated.description) == normal(row.description)
    )


def _release_faults(connection: Connection, file: CatalogueFile, release: Release) -> list[Fault]:
    if release.trust is not None:
        known = set(connection.scalars(select(trust.c.ods_code)))
        if release.trust not in known:
            return [file.fault(1, "-", f"no trust {release.trust!r}; use one of {', '.join(sorted(known)) or 'none'}")]
    same = _same_catalogue(release)
    named = connection.execute(select(exam_release).where(*same, exam_release.c.release == release.name)).one_or_none()
    if named is not None and (named.sha256, named.released_on) != (file.sha256, release.released_on):
        return [
            file.fault(1, "-", f"release {release.name!r} was imported and differs; give this file another --release")
        ]
    newest = connection.execute(
        select(exam_release).where(*same).order_by(exam_release.c.released_on.desc()).limit(1)
    ).one_or_none()
    if named is None and newest is not None and newest.released_on > release.released_on:
        told = f"release {newest.release!r} of {newest.released_on} is newer; an older one would retire its codes"
        return [file.fault(1, "-", told)]
    return []


def _row_faults(
    file: CatalogueFile, own: Sequence[Stated], standing: dict[str, Standing], release: Release
) -> list[Fault]:
    lines = {row.code: row.line for row in file.rows}
    named = {one.code for one in own}
    faults = []
    for row in file.rows:
        target = standing.get(row.maps_to or "")
        if (
            row.maps_to is not None
            and row.maps_to not in named
            and (target is None or target.trust not in (None, release.trust))
        ):
            faults.append(
                file.fault(row.line, "maps_to", f"no exam {row.maps_to!r} in the catalogue; correct it or leave it out")
            )
    if release.trust is None:
        others = [one.code for one in own if one.code in standing and standing[one.code].trust is not None]
        return faults + [
            file.fault(lines[code], "short_code", f"{code} is a trust's own exam; that trust gives it another code")
            for code in others
        ]
    told = code_faults(own, standing, release.trust)
    return faults + [file.fault(lines[code], "short_code", what) for code, what in told]


def _retirement_faults(
    file: CatalogueFile, changes: Changes, standing: dict[str, Standing], release: Release, *, meant: bool
) -> list[Fault]:
    if meant or not retires_too_much(changes, standing.values(), release.trust):
        return []
    told = (
        f"lacks {len(changes.retired)} codes in force, such as {', '.join(changes.retired[:5])}; is the file whole?"
        " If they are to be retired, say --retire-many"
    )
    return [file.fault(1, "short_code", told)]


def _record(connection: Connection, file: CatalogueFile, release: Release, changes: Changes, by: str) -> int | None:
    """Write the release and give its id; None where it was imported before."""
    return connection.execute(
        upsert(exam_release)
        .values(
            catalogue=release.catalogue,
            trust_ods=release.trust,
            release=release.name,
            released_on=release.released_on,
            retired_valid_days=release.retired_valid_days,
            source=release.source,
            file_name=file.name,
            sha256=file.sha256,
            codes=len(file.rows),
            added=len(changes.added),
            changed=len(changes.changed),
            retired=len(changes.retired),
            imported_by=by,
        )
        .on_conflict_do_nothing()
        .returning(exam_release.c.id)
    ).scalar_one_or_none()


def _write(
    connection: Connection,
    changes: Changes,
    release: Release,
    release_id: int,
    valid_from: date,
    on_written: Callable[[int], None],
) -> None:
    """Write what is new and what changed; minutes, scope group and confidence of what stands are the network's own."""
    rows = [*changes.added, *changes.changed]
    for start in range(0, len(rows), _CHUNK):
        chunk = rows[start : start + _CHUNK]
        statement = upsert(exam).values([_values(one, release, release_id, valid_from) for one in chunk])
        taken_over = (
            "description modality body_region laterality snomed_description ionising source release_id retired_on"
            " valid_to"
        )
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["code"], set_={name: statement.excluded[name] for name in taken_over.split()}
            )
        )
        on_written(start + len(chunk))
    connection.execute(update(exam).where(exam.c.code.in_(changes.unchanged)).values(release_id=release_id))
    connection.execute(
        update(exam)
        .where(exam.c.code.in_(changes.retired))
        .values(
            retired_on=release.released_on, valid_to=last_valid_day(release.released_on, release.retired_valid_days)
        )
    )


def _values(one: Stated, release: Release, release_id: int, valid_from: date) -> dict[str, Any]:
    return {
        **asdict(one),
        "ionising": one.ionising,
        "subspecialty": None,
        "reporting_minutes": None,
        "confidence": "seen",
        "source": release.source,
        "valid_from": valid_from,
        "valid_to": None,
        "retired_on": None,
        "trust_ods": release.trust,
        "release_id": release_id,
    }


def _state_words(
    connection: Connection,
    rows: Sequence[CatalogueRow],
    standing: dict[str, Standing],
    release: Release,
    by: str,
    on_written: Callable[[int], None],
) -> int:
    """Open the words that a trust's file maps: its code where that is another, and its description where that is."""
    opened = 0
    for place, row in enumerate(rows, 1):
        on_written(place)
        if row.maps_to is None:
            continue
        words = [(AliasKind.CODE, row.code)] if row.code != row.maps_to else []
        known = standing.get(row.maps_to)
        if known is None or normal(known.stated.description) != normal(row.description):
            words.append((AliasKind.DESCRIPTION, row.description))
        for kind, value in words:
            word = Word(release.trust, kind, normal(value))
            made = state_word(connection, word, row.maps_to, by=by, valid_from=None)
            opened += made is not None
    return opened


def _same_catalogue(release: Release) -> tuple[Any, ...]:
    return (
        exam_release.c.catalogue == release.catalogue,
        exam_release.c.trust_ods.is_not_distinct_from(release.trust),
    )
