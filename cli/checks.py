"""Checks invariants on live data, by statements that give what breaks them; nothing is mended here."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, text

from allocation.pay.ledger import verify_ledger


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One invariant and how many rows break it."""

    what: str
    broken: int


def run_checks(connection: Connection, *, only_ledger: bool = False) -> list[CheckResult]:
    """Check every invariant that the data alone can show, in one read-only snapshot."""
    connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
    ledger = CheckResult("the ledger is what events and rate cards say", len(verify_ledger(connection)))
    if only_ledger:
        return [ledger]
    return [*(CheckResult(what, int(connection.scalar(text(sql)) or 0)) for what, sql in _BROKEN.items()), ledger]


_BROKEN = {
    "a reading has at most one live claim": """
        SELECT count(*) FROM (SELECT reading_id FROM claim WHERE ended_at IS NULL GROUP BY 1 HAVING count(*) > 1) x""",
    "a live claim is the newest of its reading": """
        SELECT count(*) FROM claim c JOIN reading r ON r.id = c.reading_id
        WHERE c.ended_at IS NULL AND c.token <> r.token""",
    "a verified item has a report that stands": """
        SELECT count(*) FROM item i WHERE i.state = 'verified' AND NOT EXISTS
          (SELECT FROM report p WHERE p.item_id = i.id AND p.status = 'verified' AND NOT p.superseded
           AND p.recalled_at IS NULL)""",
    "an item is verified once": """
        SELECT count(*) FROM (SELECT item_id FROM report
          WHERE status = 'verified' AND NOT superseded AND recalled_at IS NULL
          GROUP BY item_id HAVING count(*) > 1) x""",
    "a complete item that waits can be read": """
        SELECT count(*) FROM item i WHERE i.state IN ('ready', 'in_progress', 'preliminary', 'recalled') AND NOT EXISTS
          (SELECT FROM reading r WHERE r.item_id = i.id AND r.state = 'open')""",
    "studies count their objects": """
        SELECT count(*) FROM study s WHERE s.instance_count <>
          (SELECT count(*) FROM series e JOIN instance o ON o.series_id = e.id WHERE e.study_id = s.id)""",
    "positions are dense": """
        SELECT coalesce(max(position), 0) - count(*) FROM event_position""",
    "a report is paid once per tariff": """
        SELECT count(*) FROM (SELECT report_id, tariff_code FROM pay_line WHERE kind = 'earning'
          GROUP BY 1, 2 HAVING count(*) > 1) x""",
}
