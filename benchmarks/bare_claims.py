"""Measures a claim's statements bare, by PostgreSQL's own pgbench, with and without the audit entry.

No Python runs beside the database here: what the audit costs the database shows undiluted. The
readings of the pool come round again when their short leases have run out.
"""

from __future__ import annotations

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
    ' \'{"claim":\' || :token || \',"reporter":"okafor"}\');'
)

#: A claim begins to look at a random reading; beyond the last place there would be nothing to find.
_POOL = """
SELECT min(id) AS first, greatest(1, max(id) - 1000) AS last, (SELECT max(id) FROM reporter) AS reporters FROM reading
"""


def measure(cluster: embedded.Cluster, owner: Engine, *, clients: int, pairs: int, seconds: int) -> list[Row]:
    """Run both scripts in turns, `pairs` times, and give the share of speed that the audit leaves.

    Many short runs, because a machine's speed drifts from one second to the next; the median of the pairs
    counts. A first run, which fills caches, does not.
    """
    rates: dict[bool, list[float]] = {True: [], False: []}
    with tempfile.TemporaryDirectory() as folder:
        for audited in (True, False):
            _script(Path(folder), audited=audited).write_text(_CLAIM.replace("AUDIT", _AUDIT if audited else ""))
        command = [
            *(str(embedded.binary("pgbench")), "--no-vacuum", "--protocol=prepared", f"--client={clients}"),
            *(f"--jobs={min(2, clients)}", f"--time={seconds}", *_variables(owner)),
        ]
        say(f"bare statements, {pairs} pairs of runs: pgbench {' '.join(command[1:])} --file=claim.sql")
        _run(command, _script(Path(folder), audited=True), cluster)
        for number in range(pairs):
            for audited in (True, False) if number % 2 == 0 else (False, True):
                rates[audited].append(_run(command, _script(Path(folder), audited=audited), cluster))
            say(f"  pair {number + 1}: {rates[True][-1]:.0f}/s with the audit, {rates[False][-1]:.0f}/s without")
    share = middle([one / other for one, other in zip(rates[True], rates[False], strict=True)])
    same = "the same without the audit"
    what = "bare statements of a claim, by pgbench"
    return [
        Row("claims.rate.bare", what, middle(rates[True]), "claims/s", same, middle(rates[False])),
        Row("claims.audit.bare", f"{what}: with the audit by without", share, "share", same, 1, GOAL),
    ]


def _variables(owner: Engine) -> list[str]:
    """Free all readings and give what the script must know of the pool, as words of pgbench's command line."""
    with owner.begin() as connection:
        connection.execute(text("UPDATE reading SET free_from = radpool_now(), state = 'open'"))
        found = connection.execute(text(_POOL)).one()
    return [word for name, value in found._asdict().items() for word in ("-D", f"{name}={value}")]


def _script(folder: Path, *, audited: bool) -> Path:
    return folder / f"claim-{'with' if audited else 'without'}-audit.sql"


def _run(command: list[str], script: Path, cluster: embedded.Cluster) -> float:
    """Run pgbench once and give its transactions per second; any failed one is an error."""
    url = make_url(cluster.url("app"))
    environment = {
        **embedded.environment(),
        "PGHOST": str(url.host),
        "PGPORT": str(url.port),
        "PGUSER": str(url.username),
        "PGPASSWORD": str(url.password),
        "PGDATABASE": str(url.database),
    }
    done = subprocess.run(
        [*command, f"--file={script}"], env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    found = re.search(r"^tps = ([0-9.]+)", done.stdout, re.MULTILINE)
    if done.returncode or found is None or "aborted" in done.stderr:
        raise RuntimeError(f"pgbench failed:\n{done.stdout}\n{done.stderr}")
    return float(found[1])
