"""Measures a claim's statements bare, by PostgreSQL's own pgbench, with and without the audit entry.

No Python runs beside the database here: what the audit costs the database shows undiluted. The
readings of the pool come round again when their short leases have run out.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from pathlib import Path

from sqlalchemy import Engine, make_url, text

from benchmarks.result import Row, middle, say
from worklist.db import embedded

GOAL = 0.8

_CLAIM = r"""
\set start random(:first, :last)
\set reporter random(1, :reporters)
BEGIN;
SELECT id AS reading, item_id AS item, token + 1 AS token FROM reading
  WHERE id >= :start AND state = 'open' AND free_from <= radpool_now()
  ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED \gset
UPDATE claim SET ended_at = radpool_now(), end_reason = 'superseded' WHERE reading_id = :reading AND ended_at IS NULL;
INSERT INTO claim (reading_id, item_id, reporter_id, token, expires_at)
  VALUES (:reading, :item, :reporter, :token, radpool_now() + interval '1 second');
UPDATE reading SET token = :token, free_from = radpool_now() + interval '1 second' WHERE id = :reading;
INSERT INTO event (kind, schema_version, item_id, reading_id, dimensions)
  VALUES ('reading.claimed', 1, :item, :reading, '{}');
AUDIT
COMMIT;
"""
_AUDIT = (
    "SELECT audit.append('reporter:' || :reporter, 'claim', ARRAY[:item]::bigint[],"
    " '{\"claim\":' || :token || ',\"reporter\":\"okafor\"}');"
)


def measure(cluster: embedded.Cluster, owner: Engine, *, clients: int, rounds: int, seconds: float) -> list[Row]:
    """Run both scripts in turns and give the share of speed that the audit leaves."""
    with owner.begin() as connection:
        connection.execute(text("UPDATE reading SET free_from = radpool_now(), state = 'open'"))
        pool = connection.execute(
            text("SELECT min(id), max(id) - 1000, (SELECT max(id) FROM reporter) FROM reading")
        ).one()
    rates: dict[bool, list[float]] = {True: [], False: []}
    with tempfile.TemporaryDirectory() as folder:
        for audited in (True, False):
            _script(Path(folder), audited=audited).write_text(_CLAIM.replace("AUDIT", _AUDIT if audited else ""))
        named = ("first", "last", "reporters")
        variables = [word for name, value in zip(named, pool, strict=True) for word in ("-D", f"{name}={max(1, value)}")]
        command = [
            *(str(embedded.binary("pgbench")), "--no-vacuum", "--protocol=prepared", f"--client={clients}"),
            *(f"--jobs={min(2, clients)}", f"--time={max(1, round(seconds))}", *variables),
        ]
        say(f"bare statements: pgbench {' '.join(command[1:])} --file=claim.sql")
        for number in range(rounds):
            for audited in (True, False) if number % 2 == 0 else (False, True):
                rates[audited].append(_run(command, _script(Path(folder), audited=audited), cluster))
                say(f"  round {number + 1} {'with' if audited else 'without'} audit: {rates[audited][-1]:.0f}/s")
    shares = [one / other for one, other in zip(rates[True], rates[False], strict=True)]
    what = f"the same for bare statements: {middle(rates[True]):,.0f} by {middle(rates[False]):,.0f} claims/s"
    return [Row("claims.audit.bare", what, middle(shares), "share", "the same without the audit", 1, GOAL)]


def _script(folder: Path, *, audited: bool) -> Path:
    return folder / f"claim-{'with' if audited else 'without'}-audit.sql"


def _run(command: list[str], script: Path, cluster: embedded.Cluster) -> float:
    """Run pgbench once and give its transactions per second; any failed one is an error."""
    url = make_url(cluster.url("app"))
    environment = {
        **embedded.environment(),
        **{"PGHOST": str(url.host), "PGPORT": str(url.port), "PGUSER": str(url.username)},
        **{"PGPASSWORD": str(url.password), "PGDATABASE": str(url.database)},
        "PATH": os.environ["PATH"],
    }
    done = subprocess.run(
        [*command, f"--file={script}"], env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    found = re.search(r"^tps = ([0-9.]+)", done.stdout, re.MULTILINE)
    if done.returncode or found is None or "aborted" in done.stderr:
        raise RuntimeError(f"pgbench failed:\n{done.stdout}\n{done.stderr}")
    return float(found[1])
