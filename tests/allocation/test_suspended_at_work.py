"""Of twenty who claim, renew and report without a pause five are suspended: nothing of theirs is written later."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import pytest
from sqlalchemy import Engine, text

from allocation import leases
from allocation.claims import Claimed, NotEligible, Wish, claim_reading
from allocation.leases import ClaimSuperseded
from allocation.reports import file_report
from allocation.suspension import SuspensionReason, suspend_reporter
from tests.allocation.claims.claiming import LEASE, VERIFIED
from tests.allocation.configuration.applying import WHOLE, apply_text
from tests.builders import arrive, multiply, reporter_id
from tests.conftest import Database
from worklist.db.engine import make_engine

REPORTERS, EACH, SUSPENDED = 20, 5, 5
CODES = [f"many{number:02d}" for number in range(REPORTERS)]
_HART = next(part for part in WHOLE.split("[[reporter]]") if 'id = "hart"' in part)


@dataclass
class Work:
    """Reporters at work, each in a thread, over connections enough for all."""

    engine: Engine
    ids: dict[str, int]
    held: dict[str, list[Claimed]]
    over: threading.Event = field(default_factory=threading.Event)
    gone: dict[str, threading.Event] = field(default_factory=lambda: {code: threading.Event() for code in CODES})
    written_late: list[tuple[str, str]] = field(default_factory=list)

    def claim(self, code: str) -> Claimed | None:
        with self.engine.begin() as connection:
            return claim_reading(connection, code, self.ids[code], Wish(), lease_seconds=LEASE)

    def renew(self, code: str, one: Claimed) -> object:
        with self.engine.begin() as connection:
            return leases.renew(connection, self.ids[code], one.claim_id, one.token, lease_seconds=LEASE)

    def report(self, code: str, one: Claimed) -> bool:
        """Send a report and say whether it is one."""
        with self.engine.begin() as connection:
            filed = file_report(connection, code, self.ids[code], one.claim_id, one.token, VERIFIED)
        return filed.superseded is None

    def suspend(self, code: str) -> list[int]:
        with self.engine.begin() as connection:
            items = suspend_reporter(connection, "lead", code, SuspensionReason.CONCERN)
        self.gone[code].set()
        return items

    def go_on(self, code: str) -> None:
        """Renew what is held, claim more and report it, until it is over."""
        for one in itertools.cycle(self.held[code]):
            if self.over.is_set():
                return
            self._write(code, "renew", partial(self.renew, code, one))
            made: list[Claimed | None] = []
            self._write(code, "claim", partial(self._claim_into, made, code))
            if made and made[0] is not None:
                self._write(code, "report", partial(self.report, code, made[0]))

    def _claim_into(self, made: list[Claimed | None], code: str) -> None:
        made.append(self.claim(code))

    def _write(self, code: str, what: str, act: Callable[[], object]) -> None:
        late = self.gone[code].is_set()
        try:
            written = act()
        except (ClaimSuperseded, NotEligible):
            return
        if late and written is not False:
            self.written_late.append((code, what))


@pytest.fixture
def work(network: Database) -> Iterator[Work]:
    apply_text(network, "".join("[[reporter]]" + _HART.partition("[[session]]")[0].replace("hart", c) for c in CODES))
    multiply(network, arrive(network), 600)
    engine = make_engine(network.app_url, pool_size=REPORTERS + SUSPENDED)
    made = Work(engine, {code: reporter_id(network, code) for code in CODES}, {})
    for code in CODES:
        made.held[code] = [one for _ in range(EACH) if (one := made.claim(code)) is not None]
    yield made
    engine.dispose()


def test_none_of_their_later_writes_succeeds_and_all_that_they_held_is_on_a_list(network: Database, work: Work) -> None:
    assert network.count("SELECT count(*) FROM claim WHERE ended_at IS NULL") == REPORTERS * EACH
    with ThreadPoolExecutor(REPORTERS + SUSPENDED) as pool:
        working = [pool.submit(work.go_on, code) for code in CODES]
        time.sleep(0.5)
        given_back = [item for items in pool.map(work.suspend, CODES[:SUSPENDED]) for item in items]
        time.sleep(0.5)
        work.over.set()
        for one in working:
            one.result()
    assert work.written_late == []
    assert len(given_back) >= SUSPENDED * EACH
    suspended = {"who": [work.ids[code] for code in CODES[:SUSPENDED]]}
    with network.owner.connect() as connection:
        live = connection.scalars(_LIVE, suspended).all()
        late = connection.scalars(_REPORTED_LATE, suspended).all()
        hidden = connection.scalars(_HIDDEN).all()
    assert (live, late, hidden) == ([], [], [])
    for code in CODES[:SUSPENDED]:
        assert not any(work.report(code, one) for one in work.held[code])


_LIVE = text("SELECT id FROM claim WHERE ended_at IS NULL AND reporter_id = ANY (:who)")
_REPORTED_LATE = text(
    "SELECT p.id FROM report p JOIN claim c ON c.id = p.claim_id JOIN reporter r ON r.id = c.reporter_id"
    " WHERE NOT p.superseded AND r.id = ANY (:who) AND p.received_at > r.suspended_at"
)
_HIDDEN = text(
    "SELECT r.id FROM reading r WHERE r.state = 'open' AND r.free_from > radpool_now()"
    " AND NOT EXISTS (SELECT FROM claim c WHERE c.reading_id = r.id AND c.ended_at IS NULL)"
)
