"""Writes which objects of known studies came and what their headers state, each object and statement once.

A handful of statements for a whole batch. The caller has locked the studies and sees their trust's identities
(`view_as`). It must not judge what counts of what is stated; `worklist.intake.header_truth` does.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select, text
from sqlalchemy.dialects.postgresql import insert

from worklist.db.tables.work import header_statement, series
from worklist.intake.arrived import HeaderArrived, StudyArrived
from worklist.intake.header_truth import Statement, settle
from worklist.intake.study import ReceivedObject


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is known of a study's headers before and after a batch, and what of the batch was new.

    `new_places` are the places in the batch of objects that were not known; `new_images` are those of them
    that are images. `restated` says that a known object came with another header.
    """

    before: tuple[Statement, ...]
    after: tuple[Statement, ...]
    new_places: frozenset[int]
    new_images: tuple[ReceivedObject, ...]
    restated: bool
    series_count: int


def record_headers(connection: Connection, trust: str, studies: Mapping[int, StudyArrived]) -> dict[int, Recorded]:
    """Write the objects of studies, by the studies' ids, and give what is known of each study then."""
    if not studies:
        return {}
    series_ids = _series(connection, studies)
    known = _statements(connection, studies)
    header_ids = _headers(connection, trust, studies, series_ids, known)
    added = _objects(connection, studies, series_ids, header_ids)
    before_of: dict[int, dict[int, Statement]] = {study_id: {} for study_id in studies}
    for row in known.values():
        before_of[row.study_id][row.id] = _statement(row)
    series_of = Counter(study_id for study_id, _ in series_ids)
    recorded: dict[int, Recorded] = {}
    new_of_header: Counter[int] = Counter()
    new_of_series: Counter[int] = Counter()
    for study_id, arrived in studies.items():
        places, images, pairs = _new_ones(arrived, series_ids, header_ids, study_id, added, new_of_series)
        new_of_header.update(pairs)
        before = before_of[study_id]
        after = dict(before)
        for header in arrived.headers:
            series_id = series_ids[study_id, header.series_digest]
            header_id = header_ids[series_id, header.digest]
            objects = pairs[header_id] + (before[header_id].objects if header_id in before else 0)
            after[header_id] = Statement(
                series_id, header.sender.ae_title, header.is_image, header.modality, header.stated, objects
            )
        recorded[study_id] = Recorded(
            tuple(before.values()),
            tuple(after.values()),
            frozenset(places),
            tuple(images),
            restated=pairs.total() > len(places),
            series_count=series_of[study_id],
        )
    _count(connection, recorded, new_of_header, new_of_series)
    return recorded


def _series(connection: Connection, studies: Mapping[int, StudyArrived]) -> dict[tuple[int, uuid.UUID], int]:
    """Give the ids of all series of the studies by study and digest; those that are new are made."""
    wanted = {(study_id, header.series_digest) for study_id, one in studies.items() for header in one.headers}
    ids = {
        (row.study_id, row.series_digest): row.id
        for row in connection.execute(
            select(series.c.id, series.c.study_id, series.c.series_digest).where(series.c.study_id.in_(studies))
        )
    }
    missing = sorted(wanted - ids.keys())
    if missing:
        made = connection.execute(
            insert(series).returning(series.c.id, series.c.study_id, series.c.series_digest),
            [{"study_id": study_id, "series_digest": digest} for study_id, digest in missing],
        )
        ids |= {(row.study_id, row.series_digest): row.id for row in made}
    return ids


def _statements(connection: Connection, studies: Mapping[int, StudyArrived]) -> dict[tuple[int, uuid.UUID], Row[Any]]:
    """Give what the studies' headers stated so far, by series and digest."""
    rows = connection.execute(select(header_statement).where(header_statement.c.study_id.in_(studies)))
    return {(row.series_id, row.digest): row for row in rows}


def _headers(
    connection: Connection,
    trust: str,
    studies: Mapping[int, StudyArrived],
    series_ids: Mapping[tuple[int, uuid.UUID], int],
    known: Mapping[tuple[int, uuid.UUID], Row[Any]],
) -> dict[tuple[int, uuid.UUID], int]:
    """Give the ids of the headers by series and digest; those that are new are written."""
    ids = {key: row.id for key, row in known.items()}
    missing: dict[tuple[int, uuid.UUID], dict[str, Any]] = {}
    for study_id, arrived in studies.items():
        for header in arrived.headers:
            key = (series_ids[study_id, header.series_digest], header.digest)
            if key not in ids:
                missing[key] = {"trust_ods": trust, "study_id": study_id, "series_id": key[0], **_row(header)}
    if missing:
        made = connection.execute(
            insert(header_statement).returning(
                header_statement.c.id, header_statement.c.series_id, header_statement.c.digest
            ),
            [missing[key] for key in sorted(missing)],
        )
        ids |= {(row.series_id, row.digest): row.id for row in made}
    return ids


def _row(header: HeaderArrived) -> dict[str, Any]:
    return {
        "source_ae_title": header.sender.ae_title,
        "digest": header.digest,
        "is_image": header.is_image,
        "modality": header.modality,
        "stated": header.stated,
    }


def _objects(
    connection: Connection,
    studies: Mapping[int, StudyArrived],
    series_ids: Mapping[tuple[int, uuid.UUID], int],
    header_ids: Mapping[tuple[int, uuid.UUID], int],
) -> dict[tuple[int, str], bool]:
    """Write the objects; give those that had not come with their header, and whether they had with another."""
    columns: tuple[list[str], list[str], list[str]] = ([], [], [])
    for header, series_id, header_id in _of_headers(studies, series_ids, header_ids):
        columns[0].extend([str(series_id)] * len(header.sop_digests))
        columns[1].extend(header.sop_digests)
        columns[2].extend([str(header_id)] * len(header.sop_digests))
    added = connection.execute(_ADD_OBJECTS, _array_texts(columns))
    return {(header_id, digest): known for header_id, digest, known in added}


def _array_texts(columns: tuple[list[str], list[str], list[str]]) -> dict[str, str]:
    """Give columns of plain numbers and digests in PostgreSQL's words for arrays, which is fastest for thousands."""
    return {name: f"{{{','.join(c)}}}" for name, c in zip(("series", "objects", "headers"), columns, strict=True)}


def _of_headers(
    studies: Mapping[int, StudyArrived],
    series_ids: Mapping[tuple[int, uuid.UUID], int],
    header_ids: Mapping[tuple[int, uuid.UUID], int],
) -> Iterator[tuple[HeaderArrived, int, int]]:
    for study_id, arrived in studies.items():
        for header in arrived.headers:
            series_id = series_ids[study_id, header.series_digest]
            yield header, series_id, header_ids[series_id, header.digest]


def _new_ones(
    arrived: StudyArrived,
    series_ids: Mapping[tuple[int, uuid.UUID], int],
    header_ids: Mapping[tuple[int, uuid.UUID], int],
    study_id: int,
    added: dict[tuple[int, str], bool],
    new_of_series: Counter[int],
) -> tuple[list[int], list[ReceivedObject], Counter[int]]:
    """Give where a study's new objects stand, its new images, and how many objects each header gained.

    An object that the batch brings with two headers is new once.
    """
    places: list[int] = []
    images: list[ReceivedObject] = []
    pairs: Counter[int] = Counter()
    taken: set[tuple[int, str]] = set()
    for header, series_id, header_id in _of_headers({study_id: arrived}, series_ids, header_ids):
        for place, one, digest in zip(header.places, header.objects, header.sop_digests, strict=True):
            known = added.pop((header_id, digest), None)
            if known is None:
                continue
            pairs[header_id] += 1
            if known or (series_id, digest) in taken:
                continue
            taken.add((series_id, digest))
            new_of_series[series_id] += 1
            places.append(place)
            if header.is_image:
                images.append(one)
    return places, images, pairs


def _statement(row: Row[Any]) -> Statement:
    return Statement(row.series_id, row.source_ae_title, row.is_image, row.modality, row.stated, row.objects)


def _count(
    connection: Connection,
    recorded: Mapping[int, Recorded],
    new_of_header: Counter[int],
    new_of_series: Counter[int],
) -> None:
    """Write how many objects state each header, and how many each series has, with the modality that counts."""
    if not new_of_header:
        return
    connection.execute(
        _COUNT_HEADERS, {"headers": list(new_of_header), "numbers": [int(n) for n in new_of_header.values()]}
    )
    modalities: dict[Any, str | None] = {}
    for one in recorded.values():
        if one.new_places or one.restated:
            modalities |= settle(one.after).modality_of_series
    ids = list(modalities)
    connection.execute(
        _COUNT_SERIES,
        {"series": ids, "numbers": [new_of_series[one] for one in ids], "modalities": list(modalities.values())},
    )


_ADD_OBJECTS = text(
    "WITH arrived AS ("
    " SELECT * FROM unnest(CAST(:series AS bigint[]), CAST(:objects AS uuid[]),"
    " CAST(:headers AS bigint[])) AS a (series_id, sop_digest, header_id)),"
    " added AS ("
    " INSERT INTO instance (series_id, sop_digest, header_id) SELECT series_id, sop_digest, header_id FROM arrived"
    " ON CONFLICT DO NOTHING RETURNING series_id, sop_digest, header_id)"
    # The statement sees the table as it was before its own insert.
    " SELECT a.header_id, replace(a.sop_digest::text, '-', ''),"
    " EXISTS (SELECT FROM instance i WHERE i.series_id = a.series_id AND i.sop_digest = a.sop_digest) FROM added a"
)
_COUNT_HEADERS = text(
    "UPDATE header_statement h SET objects = h.objects + n.number"
    " FROM unnest(CAST(:headers AS bigint[]), CAST(:numbers AS integer[])) AS n (id, number) WHERE h.id = n.id"
)
_COUNT_SERIES = text(
    "UPDATE series s SET instance_count = s.instance_count + n.number, modality = n.modality"
    " FROM unnest(CAST(:series AS bigint[]), CAST(:numbers AS integer[]), CAST(:modalities AS text[]))"
    " AS n (id, number, modality) WHERE s.id = n.id"
)
