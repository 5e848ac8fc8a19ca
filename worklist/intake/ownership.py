"""Decides whose work a study is: who performed it, whether it is work at all, and of several copies which count.

Pure: no I/O, no clock, no settings. What nobody says is never taken for "performed elsewhere" or "old": that would
hide work.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

#: What stands for a performer outside the network.
ELSEWHERE = "elsewhere"


class PriorBecause(StrEnum):
    """Why a study is a prior and no work."""

    PERFORMED_ELSEWHERE = "performed-elsewhere"
    OF_ANOTHER_TRUST = "of-another-trust"  # another trust's PACS sent it too, and it is theirs
    OLD_WITHOUT_ORDER = "old-without-order"


@dataclass(frozen=True, slots=True)
class Performers:
    """By which words headers name performers: trusts of the network by word, and those outside it."""

    trusts: Mapping[str, str]
    elsewhere: Collection[str] = ()

    def named_by(self, issuer: str | None, institution: str | None) -> str | None:
        """Give the trust, or `ELSEWHERE`, that a header names, by issuer of the accession number, else by institution.

        None where neither is a word that is known: most archives write issuers of their own.
        """
        for word in (plain(issuer), plain(institution)):
            if word in self.trusts:
                return self.trusts[word]
            if word in self.elsewhere:
                return ELSEWHERE
        return None


def performers(names: Mapping[str, Iterable[str]], elsewhere: Iterable[str] = ()) -> Performers:
    """Give the performers of a network from what each trust is known as, by its code."""
    trusts = {plain(word): code for code, words in names.items() for word in (code, *words)}
    return Performers(trusts, frozenset(map(plain, elsewhere)))


def plain(word: str | None) -> str:
    """Give the form in which names of performers are compared: without case, one space between words."""
    return " ".join((word or "").casefold().split())


def is_old(study_date: date | None, received_on: date, after_days: int | None) -> bool:
    """Whether an examination lies more than so many days before its images came; no days: none does."""
    return None not in (study_date, after_days) and (received_on - study_date).days > after_days  # type: ignore[operator]


@dataclass(frozen=True, slots=True)
class Copy:
    """A study as the sources of one trust sent it.

    `performed_by` is whom its headers name; `ordered` says that an order of the trust is of it; `first_received_at` is
    aware.
    """

    study_id: int
    trust: str
    performed_by: str | None
    ordered: bool
    first_received_at: datetime


def owners(copies: Collection[Copy]) -> frozenset[int]:
    """Give the copies of one StudyInstanceUID that are work, by study; all others are priors.

    Whom any copy names as performer owns it. Where none is named who sent it, each trust that has an order of it does,
    and where there is no order whose PACS had it first, as the performer's has.
    """
    candidates, entitled = _claims(copies)
    if not entitled:
        entitled = sorted(candidates, key=lambda one: (one.first_received_at, one.study_id))[:1]
    return frozenset(one.study_id for one in entitled)


def is_in_doubt(copies: Collection[Copy]) -> bool:
    """Whether several trusts sent a study and nothing says which one of them performed it: a person must look."""
    candidates, entitled = _claims(copies)
    return len(candidates) > 1 and len(entitled) != 1


def _claims(copies: Collection[Copy]) -> tuple[list[Copy], list[Copy]]:
    """Give the copies that may be the performer's, and those of them of which something says so."""
    named = {one.performed_by for one in copies}
    candidates = [one for one in copies if one.performed_by is None or one.trust in named]
    by_name = [one for one in candidates if one.trust in named]
    return candidates, by_name or [one for one in candidates if one.ordered]
