"""What a release does to the catalogue: which codes it adds, changes, brings back and retires, and what is wrong.

Pure: no I/O, no clock, no settings. It must not value exams nor give them scope groups: those are the network's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from allocation.exam_catalogue.words import NOT_IONISING
from worklist.exams.codes import normal

#: How long a retired code stays valid (Diagnostic Imaging Data Set v2.0: retired up to 183 days before the exam's end).
RETIRED_VALID_DAYS = 183
#: A release that retires more of the catalogue than this is refused unless it is meant: files are cut short.
MOST_RETIRED_PERCENT = 20


@dataclass(frozen=True, slots=True)
class Stated:
    """What a file states of one exam."""

    code: str
    description: str
    snomed_description: str | None
    laterality: str
    body_region: str
    modality: str

    @property
    def ionising(self) -> bool:
        """Whether the exam falls under IR(ME)R 2017."""
        return self.modality not in NOT_IONISING


@dataclass(frozen=True, slots=True)
class Standing:
    """A row of the catalogue as it stands: what was stated of it, whose it is, whether a release has named it."""

    stated: Stated
    trust: str | None
    released: bool
    retired: bool


@dataclass(frozen=True, slots=True)
class Changes:
    """What a release does: `changed` holds also what it brings back."""

    added: tuple[Stated, ...]
    changed: tuple[Stated, ...]
    unchanged: tuple[str, ...]
    retired: tuple[str, ...]


def changes_of(stated: Sequence[Stated], standing: Mapping[str, Standing], trust: str | None) -> Changes:
    """Hold a release of a trust's catalogue (None: the national one) against what stands.

    A code that this catalogue's releases named and that this one lacks is retired; codes of other catalogues, and
    those that only the network's configuration has named, are left alone.
    """
    named = {one.code for one in stated}
    added = tuple(one for one in stated if one.code not in standing)
    known = [one for one in stated if one.code in standing]
    changed = tuple(one for one in known if _differs(one, standing[one.code]))
    unchanged = tuple(one.code for one in known if not _differs(one, standing[one.code]))
    retired = tuple(
        sorted(
            code
            for code, one in standing.items()
            if one.trust == trust and one.released and not one.retired and code not in named
        )
    )
    return Changes(added, changed, unchanged, retired)


def retires_too_much(changes: Changes, standing: Iterable[Standing], trust: str | None) -> bool:
    """Whether a release retires so many codes that the file is more likely cut short."""
    in_force = sum(one.trust == trust and one.released and not one.retired for one in standing)
    return len(changes.retired) * 100 > in_force * MOST_RETIRED_PERCENT


def last_valid_day(retired_on: date, days: int) -> date:
    """Give the last local date on which a code that was retired on a day may still be used."""
    return retired_on + timedelta(days=days)


def code_faults(stated: Sequence[Stated], standing: Mapping[str, Standing], trust: str) -> Iterator[tuple[str, str]]:
    """Give (code, what is wrong) for a trust's codes that stand for something else in the network's catalogue."""
    for one in stated:
        known = standing.get(one.code)
        if known is None or known.trust == trust:
            continue
        if known.trust is not None:
            yield one.code, f"{one.code} is an exam of another trust; give `maps_to`, or another code"
        elif normal(known.stated.description) != normal(one.description):
            yield (
                one.code,
                f"{one.code} is {known.stated.description!r} in the network's catalogue; give `maps_to` to say what"
                " the trust means by it",
            )


def _differs(one: Stated, known: Standing) -> bool:
    return known.stated != one or known.retired or not known.released
