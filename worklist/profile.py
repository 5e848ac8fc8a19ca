"""Work profiles: what clinical eligibility can depend on, cut exactly where some scope of practice cuts.

Exam codes that no scope tells apart are one group; ages between two scope limits are one band. A
profile's meaning never changes: a new scope makes new profiles. Pure: no I/O, no clock, no
settings. It must not know reporters, urgency or trusts (docs/decisions/0006-work-profile-as-index.md).
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class ScopeTerms:
    """What of one scope can tell work apart: its exam codes and the ages at which it begins or ends."""

    exam_codes: frozenset[str]
    min_age_years: int | None
    max_age_years: int | None
    excluded_flags: frozenset[str] = frozenset()
    classifies_unmapped: bool = False


@dataclass(frozen=True, slots=True)
class Cut:
    """How the scopes in force cut the work.

    `age_cuts` are the ages (completed years, ascending) at which a band begins; `group_of_exam`
    gives the group number of every catalogued code. `flags_of_group` are the exclusion flags by which some
    scope of the group's exams tells work apart, under None those of unmapped work.
    """

    age_cuts: tuple[int, ...]
    group_of_exam: Mapping[str, int]
    flags_of_group: Mapping[int | None, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Profile:
    """One profile. `age_from` to `age_to` are completed years, inclusive; None: age not known.

    `age_to` is also None in the last band, which has no end. `setting` None: not known. Of the exclusion flags that
    tell its exams apart, `flags` are so of the work, `cleared_flags` are not so, `unknown_flags` are not known.
    """

    exam_groups: tuple[int, ...]
    unmapped: bool
    age_from: int | None
    age_to: int | None
    setting: str | None
    flags: tuple[str, ...]
    cleared_flags: tuple[str, ...] = ()
    unknown_flags: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """One text per profile, readable, used as its unique key."""
        groups = ",".join(map(str, self.exam_groups)) + ("+unmapped" if self.unmapped else "")
        age = "unknown" if self.age_from is None else f"{self.age_from}-{'' if self.age_to is None else self.age_to}"
        parts = (("flags", self.flags), ("cleared", self.cleared_flags), ("unknown", self.unknown_flags))
        told = [
            f"|{name}=" + ",".join(quote(flag, safe=" ") for flag in flags)
            for name, flags in parts
            if flags or name == "flags"
        ]
        return f"exams={groups}|age={age}|setting={self.setting or 'unknown'}" + "".join(told)


def profile_of(
    exam_codes: Collection[str | None],
    age_years: int | None,
    setting: str | None,
    flags: Collection[str],
    cleared_flags: Collection[str],
    cut: Cut,
) -> Profile:
    """Give the profile of a piece of work; a None or uncatalogued code makes it unmapped.

    `flags` are so of it, `cleared_flags` are not; any other flag is not known.
    """
    groups = {cut.group_of_exam[code] for code in exam_codes if code is not None and code in cut.group_of_exam}
    unmapped = not exam_codes or any(code is None or code not in cut.group_of_exam for code in exam_codes)
    age_from, age_to = (None, None) if age_years is None else age_band(age_years, cut.age_cuts)
    telling = {flag for group in groups for flag in cut.flags_of_group.get(group, ())}
    telling |= cut.flags_of_group.get(None, frozenset()) if unmapped else frozenset()
    so, not_so = telling & {*flags}, telling & {*cleared_flags} - {*flags}
    told = (tuple(sorted(part)) for part in (so, not_so, telling - so - not_so))
    return Profile(tuple(sorted(groups)), unmapped, age_from, age_to, setting, *told)


def age_band(age_years: int, age_cuts: Sequence[int]) -> tuple[int, int | None]:
    """Give the band (first and last completed year; the last band has no last year) of an age."""
    place = bisect_right(age_cuts, age_years)
    first = age_cuts[place - 1] if place else 0
    last = age_cuts[place] - 1 if place < len(age_cuts) else None
    return first, last


def age_cuts(scopes: Iterable[ScopeTerms]) -> tuple[int, ...]:
    """Give the ages at which some scope begins to apply or has ceased to."""
    cuts = {0}
    for scope in scopes:
        if scope.min_age_years is not None:
            cuts.add(scope.min_age_years)
        if scope.max_age_years is not None:
            cuts.add(scope.max_age_years + 1)
    return tuple(sorted(cuts))


def exam_groups(ionising_of_exam: Mapping[str, bool], scopes: Sequence[ScopeTerms]) -> list[tuple[str, ...]]:
    """Part the catalogued codes into groups that no scope tells apart; ionising work stands apart.

    Each group is its codes in order; groups come in the order of their first code.
    """
    alike: dict[tuple[bool, frozenset[int]], list[str]] = defaultdict(list)
    for code in sorted(ionising_of_exam):
        holders = frozenset(number for number, scope in enumerate(scopes) if code in scope.exam_codes)
        alike[(ionising_of_exam[code], holders)].append(code)
    return sorted(tuple(codes) for codes in alike.values())


def flags_of_exams(scopes: Iterable[ScopeTerms], codes: Collection[str] | None) -> frozenset[str]:
    """Give the exclusion flags by which some scope of a group's exam codes (None: unmapped work) tells work apart."""
    return frozenset(
        flag
        for scope in scopes
        if (scope.classifies_unmapped if codes is None else not scope.exam_codes.isdisjoint(codes))
        for flag in scope.excluded_flags
    )


def exam_group_key(codes: Sequence[str], *, ionising: bool) -> str:
    """Give the unique key of a group: a digest of all that it is, so that a group is never redefined."""
    return hashlib.sha256("\n".join([str(ionising), *sorted(codes)]).encode()).hexdigest()
