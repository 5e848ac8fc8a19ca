"""Measures claims per second of fifty reporters, and what the audit costs of them.

Rounds with and without the audit alternate, so that what drifts (caches, table size, the machine)
falls on both alike. It must not claim; `claim_clients` and `bare_claims` do.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from statistics import median, quantiles

from sqlalchemy import Engine, text

from benchmarks import bare_claims
from benchmarks.claim_clients import Round, clients
from benchmarks.claim_pool import fill_pool, make_network
from benchmarks.result import Plan, Row, middle, say
from worklist.db import embedded
from worklist.db.engine import make_engine
from worklist.db.migrate import migrate

#: What a claim with its audit entry should reach of one without.
GOAL = 0.8


@dataclass(frozen=True, slots=True)
class _Size:
    items: int
    clients: int
    processes: int
    rounds: int
    seconds: float


_REAL = _Size(items=60_000, clients=50, processes=5, rounds=3, seconds=6.0)
_SMALL = _Size(items=2_000, clients=4, processes=2, rounds=1, seconds=0.5)


def run(plan: Plan) -> list[Row]:
    """Measure the real use case and the bare statements; raises AssertionError on a double claim."""
    size = _SMALL if plan.small else _REAL
    seconds = plan.seconds or size.seconds
    say(
        f"claims: seed {plan.seed}, {size.items} items, {size.clients} clients in {size.processes} processes,"
        f" {size.rounds} rounds of {seconds:g} s with the audit and as many without, alternating"
    )
    with _database() as (cluster, owner):
        app = make_engine(cluster.url("app"))
        make_network(app)
        say(f"{fill_pool(owner, size.items, plan.seed)} profiles")
        with app.connect() as connection:
            people = connection.scalars(text(_BUSY), {"most": size.clients}).all()
        app.dispose()
        made = _use_case(cluster, owner, people, size, seconds)
        bare = bare_claims.measure(
            cluster, owner, clients=size.clients, pairs=3 * size.rounds, seconds=max(1, round(seconds / 3))
        )
    return [*made, *bare]


@contextmanager
def _database() -> Iterator[tuple[embedded.Cluster, Engine]]:
    """Start a durable PostgreSQL in a folder of its own, with the newest schema."""
    with tempfile.TemporaryDirectory(prefix="radpool-benchmark-") as folder:
        cluster = embedded.start(Path(folder))
        owner = make_engine(cluster.url("owner"))
        try:
            migrate(owner)
            yield cluster, owner
        finally:
            owner.dispose()
            embedded.stop(cluster, immediate=True)


def _use_case(
    cluster: embedded.Cluster, owner: Engine, people: Sequence[int], size: _Size, seconds: float
) -> list[Row]:
    rounds: dict[bool, list[Round]] = {True: [], False: []}
    with clients(cluster.url("app"), people, size.processes) as team:
        warm = team.claim_for(min(seconds, 2.0), audited=True)
        for number in range(size.rounds):
            # Which goes first changes from round to round.
            for audited in (True, False) if number % 2 == 0 else (False, True):
                _report_what_is_claimed(owner)
                rounds[audited].append(team.claim_for(seconds, audited=audited))
                say(f"  round {number + 1} {'with' if audited else 'without'} audit: {rounds[audited][-1].rate:.0f}/s")
    _no_double_claims(owner, [warm, *rounds[True]], rounds[False])
    with_audit, without = (middle([one.rate for one in rounds[audited]]) for audited in (True, False))
    shares = [one.rate / other.rate for one, other in zip(rounds[True], rounds[False], strict=True)]
    latencies = sorted(chain.from_iterable(one.latencies for one in rounds[True]))
    centiles = quantiles(latencies, n=100)
    same, share = "the same without the audit", round(median(shares), 3)
    return [
        Row("claims.rate", "claims made and committed", with_audit, "claims/s", same, without),
        Row("claims.p50", "time of a claim, median", round(centiles[49] * 1000, 1), "ms"),
        Row("claims.p99", "time of a claim, 99th centile", round(centiles[98] * 1000, 1), "ms"),
        Row("claims.audit", "claims/s with the audit by without", share, "share", same, 1, GOAL),
    ]


def _report_what_is_claimed(owner: Engine) -> None:
    """Let what was claimed leave the pool, as in life: nobody holds a thousand claims."""
    with owner.begin() as connection:
        connection.execute(
            text("UPDATE reading r SET state = 'done' FROM claim c WHERE c.reading_id = r.id AND r.state = 'open'")
        )


def _no_double_claims(owner: Engine, audited: Sequence[Round], unaudited: Sequence[Round]) -> None:
    told = [claim for one in (*audited, *unaudited) for claim in one.claims]
    readings = {reading for reading, _ in told}
    with owner.connect() as connection:
        counts = connection.execute(text(_COUNTS)).one()
    assert len(readings) == len(told), f"{len(told) - len(readings)} readings were given to two clients"
    assert sum(one.nothing for one in (*audited, *unaudited)) == 0, "a client was told that nothing is free"
    assert counts.claims == counts.live == counts.events == len(told), f"{len(told)} claims were told, kept {counts}"
    expected = sum(len(one.claims) for one in audited)
    assert counts.entries == expected, f"{expected} claims were audited, {counts.entries} entries kept"
    say(f"{len(told)} claims, none double; as many events; {counts.entries} audit entries")


#: Reporters who may report the most of what waits: nobody is to run out of work.
_BUSY = """
SELECT rp.reporter_id FROM reading r JOIN profile p ON p.id = r.profile_id
JOIN reporter_profile rp ON rp.profile_id = p.id
JOIN reporter_trust rt ON rt.reporter_id = rp.reporter_id AND rt.trust_ods = r.trust_ods AND rt.ionising = p.ionising
GROUP BY rp.reporter_id ORDER BY count(*) DESC, rp.reporter_id LIMIT :most
"""

_COUNTS = """
SELECT (SELECT count(*) FROM claim) AS claims, (SELECT count(*) FROM claim WHERE ended_at IS NULL) AS live,
       (SELECT count(*) FROM event WHERE kind IN ('item.claimed', 'reading.claimed')) AS events,
       (SELECT count(*) FROM audit.entry WHERE action = 'claim') AS entries
"""
