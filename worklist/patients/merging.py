"""Decides which identifiers are one person's, from all that was said of it, in whatever order it was heard.

Pure: no I/O, no clock, no settings. It must not compare people: two identifiers are one person's because the
home RIS says so and for no other reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

#: Issuer and identifier, which with the trust are the key of a patient.
Identity = tuple[str, str]


class Kind(StrEnum):
    """What was said of two identifiers."""

    MERGE = "merge"  # the retired one's patient is the surviving one's (ADT^A40)
    CHANGE = "change"  # the patient has the surviving identifier in place of the retired one (ADT^A47)
    UNLINK = "unlink"  # they are two patients (ADT^A37, or a person)


@dataclass(frozen=True, slots=True)
class Said:
    """What was said of two identifiers, and when it was said (aware UTC); of an unlink either may be the first."""

    kind: Kind
    retired: Identity
    surviving: Identity
    at: datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    """What all that was said comes to.

    `standing` has for each retired identifier what retired it, `ended` for what stood once that which ended
    it; `cyclic` is what would have made a patient survive itself, and counts for nothing.
    """

    standing: Mapping[Identity, Said]
    ended: Mapping[Said, Said]
    cyclic: tuple[Said, ...]

    def survivor_of(self, identity: Identity) -> Identity:
        """Give the identifier that stands at the end of the chain."""
        return _chain(self.standing, identity)[-1]


def weigh(said: Iterable[Said]) -> Outcome:
    """Give what stands of all that was said, by the times at which it was said.

    The newest merge of an identifier counts. What is said again changes nothing, so that a merge stands since
    it was first said. A change of identifiers in the opposite direction takes the change back.
    """
    standing: dict[Identity, Said] = {}
    ended: dict[Said, Said] = {}
    cyclic: list[Said] = []
    for one in sorted(set(said), key=_order):
        if one.kind is Kind.UNLINK:
            for here, there in ((one.retired, one.surviving), (one.surviving, one.retired)):
                if here in standing and standing[here].surviving == there:
                    ended[standing.pop(here)] = one
            continue
        known = standing.get(one.retired)
        back = standing.get(one.surviving)
        if known is not None and known.surviving == one.surviving:
            continue
        if one.kind is Kind.CHANGE and back is not None and (back.kind, back.surviving) == (Kind.CHANGE, one.retired):
            ended[standing.pop(one.surviving)] = one
            ended[one] = one
        elif one.retired in _chain(standing, one.surviving):
            cyclic.append(one)
        else:
            if known is not None:
                ended[known] = one
            standing[one.retired] = one
    return Outcome(standing, ended, tuple(cyclic))


def _chain(standing: Mapping[Identity, Said], identity: Identity) -> list[Identity]:
    """Give an identifier and all that it was merged into, one after another."""
    chain = [identity]
    while chain[-1] in standing:
        chain.append(standing[chain[-1]].surviving)
    return chain


def _order(one: Said) -> tuple[datetime, bool, Kind, Identity, Identity]:
    """Order what was said; of one instant what merges comes before what separates."""
    return one.at, one.kind is Kind.UNLINK, one.kind, one.retired, one.surviving
