"""Checks what the rows of a configuration say of each other; everything wrong is told at once.

Pure but for the names that the database already knows, which are handed in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from allocation.configuration.document import Grant, Network, Scope
from allocation.configuration.read import Fault, ReadNetwork
from allocation.reporter import REGISTER
from worklist.exams.codes import normal
from worklist.life.reasons import ReasonedAct, known_reasons


@dataclass(frozen=True, slots=True)
class Known:
    """Names that stand in the database already and so may be referred to."""

    trusts: frozenset[str] = frozenset()
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by which headers name each trust
    exams: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    reporters: frozenset[str] = frozenset()
    engagements: Mapping[str, str] = field(default_factory=dict)  # whose each is, by reporter code
    act_reasons: frozenset[tuple[str, str]] = frozenset()  # a network's own, by act


Place = tuple[tuple[str | int, ...], str]


def check_references(read: ReadNetwork, known: Known) -> list[Fault]:
    """Give every unknown reference, duplicate and contradiction between rows."""
    network = read.network
    places = (
        *_duplicates(network),
        *_trusts(network, known),
        *_names(network, known),
        *_exams(network, known),
        *_reasons(network, known),
        *_reporters(network, known),
        *_sessions(network, known),
    )
    return [read.fault(location, what) for location, what in places]


def _duplicates(network: Network) -> Iterator[Place]:
    yield from _twice(("trust",), "ods_code", (row.ods_code for row in network.trust))
    yield from _twice(("source",), "ae_title", (row.ae_title for row in network.source))
    yield from _twice(("ris",), "sending_facility", (row.sending_facility for row in network.ris))
    yield from _twice(("exam",), "code", (row.code for row in network.exam))
    yield from _twice(
        ("exam_alias",), "value", ((row.trust, row.kind, normal(row.value)) for row in network.exam_alias)
    )
    yield from _twice(("target",), "id", ((row.id, row.valid_from) for row in network.target))
    yield from _twice(("minutes_rule",), "id", ((row.id, row.valid_from) for row in network.minutes_rule))
    modifiers = ((row.kind.value, row.valid_from) for row in network.minutes_modifier)
    yield from _twice(("minutes_modifier",), "kind", modifiers)
    yield from _twice(("not_offered",), "id", ((row.id, row.valid_from) for row in network.not_offered))
    yield from _twice(("flag",), "id", ((row.id, row.valid_from) for row in network.flag))
    yield from _twice(("act_reason",), "code", ((row.act, row.code) for row in network.act_reason))
    yield from _twice(("pause",), "id", ((row.id, row.valid_from) for row in network.pause))
    timers = ((row.kind, row.trust, row.valid_from) for row in network.alert_timer)
    yield from _twice(("alert_timer",), "kind", timers)
    yield from _twice(("scope",), "code", ((row.code, row.version) for row in network.scope))
    yield from _twice(("reporter",), "id", (row.id for row in network.reporter))
    yield from _twice(("session",), "id", (row.id for row in network.session))
    yield from _twice(("rate_card",), "code", ((row.code, row.version) for row in network.rate_card))
    prices = ((row.modality, row.valid_from) for row in network.outsource_price)
    yield from _twice(("outsource_price",), "modality", prices)
    for n, row in enumerate(network.reporter):
        yield from _twice(("reporter", n, "registrations"), "body", (one.body for one in row.registrations))
        yield from _twice(("reporter", n, "grants"), "scope", (one.scope for one in row.grants))
    for n, card in enumerate(network.rate_card):
        yield from _twice(("rate_card", n, "tariffs"), "code", (one.code for one in card.tariffs))
        yield from _twice(("rate_card", n, "windows"), "name", (one.name for one in card.windows))


def _twice(rows: tuple[str | int, ...], key: str, values: Iterable[Hashable]) -> Iterator[Place]:
    seen = set()
    for place, value in enumerate(values):
        if value in seen:
            parts = value if isinstance(value, tuple) else (value,)
            yield (*rows, place, key), f"{' '.join(str(one) for one in parts if one)!r} stands twice; give it once"
        seen.add(value)


def _trusts(network: Network, known: Known) -> Iterator[Place]:
    trusts = known.trusts | {row.ods_code for row in network.trust}
    named: list[tuple[tuple[str | int, ...], str | None]] = []
    named += [(("source", n, "trust"), row.trust) for n, row in enumerate(network.source)]
    named += [(("ris", n, "trust"), row.trust) for n, row in enumerate(network.ris)]
    named += [(("target", n, "trust"), row.trust) for n, row in enumerate(network.target)]
    named += [(("not_offered", n, "trust"), row.trust) for n, row in enumerate(network.not_offered)]
    named += [(("flag", n, "trust"), row.trust) for n, row in enumerate(network.flag)]
    named += [(("pause", n, "trust"), row.trust) for n, row in enumerate(network.pause)]
    named += [(("alert_timer", n, "trust"), row.trust) for n, row in enumerate(network.alert_timer)]
    named += [(("exam_alias", n, "trust"), row.trust) for n, row in enumerate(network.exam_alias)]
    for n, row in enumerate(network.reporter):
        named += [(("reporter", n, "engagements", m, "payer"), one.payer) for m, one in enumerate(row.engagements)]
        named += [(("reporter", n, "entitlements", m, "trust"), one.trust) for m, one in enumerate(row.entitlements)]
    for n, session in enumerate(network.session):
        named += [(("session", n, "trusts", m), trust) for m, trust in enumerate(session.trusts or ())]
    for location, trust in named:
        if trust is not None and trust not in trusts:
            yield location, f"no trust {trust!r}; add a [[trust]] with this ods_code, or use one of {_some(trusts)}"


def _names(network: Network, known: Known) -> Iterator[Place]:
    """Give words by which headers would name two performers."""
    whose = {normal(name): code for code, names in known.names.items() for name in (code, *names)}
    whose |= {normal(name): row.ods_code for row in network.trust for name in (row.ods_code,)}
    for n, row in enumerate(network.trust):
        for m, name in enumerate(row.known_as):
            if whose.setdefault(normal(name), row.ods_code) != row.ods_code:
                other = whose[normal(name)]
                yield ("trust", n, "known_as", m), f"{name!r} names {other} already; a word names one trust"
    for n, source in enumerate(network.source):
        for m, name in enumerate(source.elsewhere):
            if normal(name) in whose:
                yield ("source", n, "elsewhere", m), f"{name!r} names {whose[normal(name)]}, a trust of the network"


def _exams(network: Network, known: Known) -> Iterator[Place]:
    exams = known.exams | {row.code for row in network.exam}
    named: list[tuple[tuple[str | int, ...], str]] = []
    named += [(("exam_alias", n, "exam"), row.exam) for n, row in enumerate(network.exam_alias)]
    for n, rule in enumerate(network.minutes_rule):
        named += [(("minutes_rule", n, "exam_codes", m), code) for m, code in enumerate(rule.exam_codes or ())]
    for n, target in enumerate(network.target):
        named += [(("target", n, "exam_codes", m), code) for m, code in enumerate(target.exam_codes or ())]
    for n, kept_back in enumerate(network.not_offered):
        named += [(("not_offered", n, "exam_codes", m), code) for m, code in enumerate(kept_back.exam_codes or ())]
    for n, flag in enumerate(network.flag):
        named += [(("flag", n, "exam_codes", m), code) for m, code in enumerate(flag.exam_codes or ())]
    for n, scope in enumerate(network.scope):
        named += [(("scope", n, "exam_codes", m), code) for m, code in enumerate(scope.exam_codes)]
    for n, card in enumerate(network.rate_card):
        for m, tariff in enumerate(card.tariffs):
            place = ("rate_card", n, "tariffs", m, "exam_codes")
            named += [((*place, number), code) for number, code in enumerate(tariff.exam_codes or ())]
    for location, code in named:
        if code not in exams:
            yield location, f"no exam {code!r} in the catalogue; add an [[exam]] with this code, or correct it"


def _reasons(network: Network, known: Known) -> Iterator[Place]:
    """Give the reasons of pauses for which nobody could ever act: such a pause would never begin."""
    own = known.act_reasons | {(row.act.value, row.code) for row in network.act_reason}
    for n, pause in enumerate(network.pause):
        act = ReasonedAct(pause.act)
        reasons = known_reasons(act, tuple(sorted(code for of, code in own if of == act.value)))
        for m, reason in enumerate(pause.reasons):
            if reason not in reasons:
                yield (
                    ("pause", n, "reasons", m),
                    f"no reason {reason!r} to {pause.act}; add an [[act_reason]] with this code, or use one of"
                    f" {', '.join(reasons)}",
                )


def _reporters(network: Network, known: Known) -> Iterator[Place]:
    scopes = {row.code: row for row in sorted(network.scope, key=lambda scope: scope.version)}
    engagements = Counter(one.code for row in network.reporter for one in row.engagements)
    for n, row in enumerate(network.reporter):
        register = REGISTER[row.profession]
        if register not in {one.body for one in row.registrations}:
            yield ("reporter", n, "registrations"), f"a {row.profession} needs a registration with the {register}"
        for m, one in enumerate(row.engagements):
            if engagements[one.code] > 1:
                yield ("reporter", n, "engagements", m, "code"), f"engagement {one.code!r} stands twice; give it once"
            elif known.engagements.get(one.code, row.id) != row.id:
                whose = known.engagements[one.code]
                yield (
                    ("reporter", n, "engagements", m, "code"),
                    f"engagement {one.code!r} is {whose}'s; give another code",
                )
        for m, grant in enumerate(row.grants):
            if grant.scope not in scopes and grant.scope not in known.scopes:
                yield ("reporter", n, "grants", m, "scope"), f"no scope {grant.scope!r}; add a [[scope]] with this code"
            elif grant.scope in scopes:
                for key, what in _wider(grant, scopes[grant.scope]):
                    yield ("reporter", n, "grants", m, key), what


def _wider(grant: Grant, scope: Scope) -> Iterator[tuple[str, str]]:
    if None not in (grant.min_age_years, scope.min_age_years) and grant.min_age_years < scope.min_age_years:  # type: ignore[operator]
        yield "min_age_years", f"wider than the scope, which begins at {scope.min_age_years}"
    if None not in (grant.max_age_years, scope.max_age_years) and grant.max_age_years > scope.max_age_years:  # type: ignore[operator]
        yield "max_age_years", f"wider than the scope, which ends at {scope.max_age_years}"
    if grant.settings and scope.settings and not set(grant.settings) <= set(scope.settings):
        yield "settings", f"wider than the scope, which covers {', '.join(scope.settings)}"


def _sessions(network: Network, known: Known) -> Iterator[Place]:
    own = {row.id: {one.code for one in row.engagements} for row in network.reporter}
    for n, row in enumerate(network.session):
        if row.reporter not in own and row.reporter not in known.reporters:
            yield ("session", n, "reporter"), f"no reporter {row.reporter!r}; add a [[reporter]] with this id"
        elif row.engagement not in own.get(row.reporter, ()) and known.engagements.get(row.engagement) != row.reporter:
            yield ("session", n, "engagement"), f"{row.reporter} has no engagement {row.engagement!r}"


def _some(names: frozenset[str]) -> str:
    return ", ".join(sorted(names)[:8]) or "none yet"
