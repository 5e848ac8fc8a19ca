"""Sorts a batch of arrivals into studies and their distinct headers, so that each header is worked on once.

It reads and writes nothing, and must not know what was received before.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any

from worklist.intake.facts import facts_of, merge_all
from worklist.intake.header_truth import Statement, stated_by
from worklist.intake.senders import Sender
from worklist.intake.study import ReceivedObject
from worklist.local_time import LocalTime


@dataclass(frozen=True, slots=True)
class Arrival:
    """One object as received, and who sent it."""

    sender: Sender
    received: ReceivedObject


@dataclass(frozen=True, slots=True)
class HeaderArrived:
    """The objects of a series that say the same, but for their own UIDs and times.

    `places` are where they stand in the batch, `objects` and `sop_digests` in the same order; `digest` is that of
    all that the header says.
    """

    sender: Sender
    series_digest: uuid.UUID
    digest: uuid.UUID
    is_image: bool
    modality: str | None
    stated: dict[str, str]
    facts: dict[str, list[Any]]
    places: list[int]
    objects: list[ReceivedObject]
    sop_digests: list[str]


@dataclass(frozen=True, slots=True)
class StudyArrived:
    """What came of one study from the sources of one trust."""

    study_instance_uid: str
    trust: str
    headers: tuple[HeaderArrived, ...]

    @property
    def places(self) -> list[int]:
        """Where the study's objects stand in the batch."""
        return [place for header in self.headers for place in header.places]

    @property
    def quiet_seconds(self) -> float:
        """The longest quiet period of those who sent."""
        return max(header.sender.quiet_seconds for header in self.headers)

    @property
    def facts(self) -> dict[str, list[Any]]:
        """What the headers state that is no identity, merged."""
        return merge_all(header.facts for header in self.headers)

    @property
    def acquisition_ended(self) -> LocalTime | None:
        """The latest end of acquisition that an image states; of two alike the same one, in any order."""
        stated = (one.acquisition_ended for header in self.headers if header.is_image for one in header.objects)
        return max((ended for ended in stated if ended is not None), key=when, default=None)

    def statements(self) -> list[Statement]:
        """Give what the headers say, as if nothing had come of the study before."""
        counted: dict[tuple[uuid.UUID, uuid.UUID], set[str]] = {}
        for one in self.headers:
            counted.setdefault((one.series_digest, one.digest), set()).update(one.sop_digests)
        example = {(one.series_digest, one.digest): one for one in self.headers}
        return [
            Statement(
                key[0],
                example[key].sender.ae_title,
                example[key].is_image,
                example[key].modality,
                example[key].stated,
                len(digests),
            )
            for key, digests in counted.items()
        ]


def sort_arrivals(arrivals: Sequence[Arrival]) -> list[StudyArrived]:
    """Give the studies of a batch in order of their UIDs and trusts, each with its distinct headers."""
    grouped: dict[tuple[Any, ...], list[int]] = {}
    for place, arrival in enumerate(arrivals):
        received, sender = arrival.received, arrival.sender
        ended = received.acquisition_ended
        key = (sender.ae_title, sender.trust, None if ended is None else ended.zone, *_SAID(received))
        grouped.setdefault(key, []).append(place)
    studies: dict[tuple[str, str], list[HeaderArrived]] = {}
    for places in grouped.values():
        first = arrivals[places[0]]
        uid = (first.received.study_instance_uid, first.sender.trust)
        studies.setdefault(uid, []).append(_header(arrivals, places))
    return [StudyArrived(*uid, tuple(studies[uid])) for uid in sorted(studies)]


def digest_of(uid: str) -> uuid.UUID:
    """Give the digest by which a series or an object is known: its UID is not kept."""
    return uuid.UUID(hex=_digest(uid))


def when(ended: LocalTime) -> tuple[Any, ...]:
    """Give the key that orders two ends of acquisition: by instant, then so that one of two alike always wins."""
    return ended.at, ended.source, ended.as_sent


def _header(arrivals: Sequence[Arrival], places: list[int]) -> HeaderArrived:
    first = arrivals[places[0]]
    received, stated, facts = first.received, stated_by(first.received), facts_of(first.received)
    modality = received.image_modality if received.is_image else received.modality
    said = json.dumps([first.sender.ae_title, received.is_image, modality, stated, facts], sort_keys=True)
    objects = [arrivals[place].received for place in places]
    return HeaderArrived(
        sender=arrivals[places[-1]].sender,
        series_digest=digest_of(received.series_instance_uid),
        digest=digest_of(said),
        is_image=received.is_image,
        modality=modality,
        stated=stated,
        facts=facts,
        places=places,
        objects=objects,
        sop_digests=[_digest(one.sop_instance_uid) for one in objects],
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


#: What of an object is common to many: all but its own UID and its own time.
_SAID = attrgetter(
    *(field.name for field in fields(ReceivedObject) if field.name not in ("sop_instance_uid", "acquisition_ended"))
)
