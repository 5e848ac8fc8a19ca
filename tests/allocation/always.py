"""What must hold of items, readings, claims and reports after anything that was done, as queries that find nothing."""

from __future__ import annotations

from sqlalchemy import text

from tests.conftest import Database

_OFFERED = "('ready', 'in_progress', 'preliminary', 'recalled')"
_STANDS = "status = 'verified' AND NOT superseded AND recalled_at IS NULL"
NEVER = {
    "a reading with two live claims": (
        "SELECT FROM claim WHERE ended_at IS NULL GROUP BY reading_id HAVING count(*) > 1"
    ),
    "a live claim of a reading that is not open": (
        "SELECT FROM claim c JOIN reading r ON r.id = c.reading_id WHERE c.ended_at IS NULL AND r.state <> 'open'"
    ),
    "a live claim under an older token than its reading's": (
        "SELECT FROM claim c JOIN reading r ON r.id = c.reading_id WHERE c.ended_at IS NULL AND c.token <> r.token"
    ),
    "an item reported twice": f"SELECT FROM report WHERE {_STANDS} GROUP BY item_id HAVING count(*) > 1",
    "an item that says it is verified without a report that stands": (
        f"SELECT FROM item i WHERE state = 'verified' AND NOT EXISTS"
        f" (SELECT FROM report WHERE item_id = i.id AND {_STANDS})"
    ),
    "a report that stands on an item that waits for one": (
        f"SELECT FROM item i WHERE state NOT IN ('verified', 'addendum')"
        f" AND EXISTS (SELECT FROM report WHERE item_id = i.id AND {_STANDS})"
    ),
    "an item on offer without a reading to claim": (
        f"SELECT FROM item i WHERE state IN {_OFFERED}"
        " AND NOT EXISTS (SELECT FROM reading WHERE item_id = i.id AND state = 'open')"
    ),
    "a reading to claim of an item that is not on offer": (
        f"SELECT FROM item i JOIN reading r ON r.item_id = i.id WHERE r.state = 'open' AND i.state NOT IN {_OFFERED}"
    ),
    "an item kept from reporters with nothing left to offer again": (
        "SELECT FROM item i WHERE state IN ('on_hold', 'returned', 'outsourced')"
        " AND NOT EXISTS (SELECT FROM reading WHERE item_id = i.id AND state = 'held')"
    ),
    "an item in progress that nobody has": (
        "SELECT FROM item i WHERE state = 'in_progress'"
        " AND NOT EXISTS (SELECT FROM claim WHERE item_id = i.id AND ended_at IS NULL)"
    ),
    "an amendment that waits of an item that does not say so": (
        "SELECT FROM item i JOIN reading r ON r.item_id = i.id"
        " WHERE r.purpose = 'amendment' AND r.state = 'open' AND i.state = 'ready'"
    ),
    "a pause of an item whose clock runs": (
        "SELECT FROM clock_pause p JOIN item i ON i.id = p.item_id"
        " WHERE p.ended_at IS NULL AND i.state NOT IN ('on_hold', 'returned')"
    ),
    "pauses that overlap": (
        "SELECT FROM clock_pause a JOIN clock_pause b ON a.item_id = b.item_id AND a.id < b.id"
        " WHERE a.ended_at IS NULL OR a.ended_at > b.began_at"
    ),
    "a reading that is due at another time than its item": (
        "SELECT FROM item i JOIN reading r ON r.item_id = i.id"
        " WHERE r.state IN ('open', 'held') AND (r.due_at, r.profile_id) <> (i.due_at, i.profile_id)"
    ),
    "a clock that stopped for an item that waits": (
        "SELECT FROM item WHERE reported_at IS NOT NULL AND state NOT IN ('verified', 'addendum', 'reported_elsewhere')"
    ),
    "a plan for what is not to be claimed": (
        "SELECT FROM assignment a JOIN reading r ON r.id = a.reading_id WHERE r.state <> 'open'"
    ),
    "a check by who wrote what it checks": (
        "SELECT FROM claim c JOIN reading r ON r.id = c.reading_id JOIN report p ON p.item_id = c.item_id"
        " AND p.reporter_id = c.reporter_id JOIN reading f ON f.id = p.reading_id WHERE r.purpose = 'check'"
        " AND f.id < r.id AND f.state = 'done' AND p.status = 'preliminary'"
        " AND NOT p.superseded AND p.recalled_at IS NULL"
    ),
}


def broken(database: Database) -> dict[str, int]:
    """Give what is so and must never be, and how often."""
    with database.owner.connect() as connection:
        found = {what: len(connection.execute(text(query)).all()) for what, query in NEVER.items()}
    return {what: count for what, count in found.items() if count}
