"""All that can happen to a few items, by many hands at once: no deadlock, and what must always hold still does."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Row, text

from allocation import leases
from allocation.claims import NotEligible, NotFree, Wish, claim_reading
from allocation.home_finals import take_home_report
from allocation.leases import ClaimSuperseded, SkipReason, return_lapsed
from allocation.planner import greedy
from allocation.planner.run import replan
from allocation.reports import ReportGiven, StillArriving, file_report
from tests.allocation.always import broken
from tests.allocation.configuration.applying import apply_text
from tests.allocation.test_home_finals import settle_pay
from tests.builders import reporter_id
from tests.conftest import NOW, Database
from tests.worklist.arrivals import PACS_A, PATIENT, a_home_report, an_object, an_order
from tests.worklist.turnaround.test_pauses import RULE
from worklist.alerts.acts import escalate_overdue
from worklist.home.reading import HomeReading, receive_home_reading
from worklist.intake.completion import complete_quiet_studies
from worklist.intake.home_reports import HomeReportStatus
from worklist.intake.objects import Arrival, take_in
from worklist.intake.orders import Message, OrderControl, receive_order
from worklist.item import ForbiddenMove
from worklist.life import acts as life
from worklist.life.recall import recall
from worklist.log import audit
from worklist.reading import ReportStatus
from worklist.turnaround.targets import Urgency

#: What people are told who come too late, or may not: everything else is a fault.
REFUSED = (NotEligible, NotFree, ClaimSuperseded, ForbiddenMove, StillArriving, life.PriorityStands)
NOT_OFFERED = """
[[not_offered]]
id = "local"
modalities = ["{modality}"]
reason = "evaluated-locally"
valid_from = 2020-01-01
source = "test"
"""
STOPS: list[tuple[Callable[..., None], str]] = [
    (life.hold, "awaiting-priors"),
    (life.return_to_site, "wrong-exam"),
    (life.outsource, "backlog"),
]
RESUMES: list[Callable[..., None]] = [life.release_hold, life.take_corrected, life.take_back]
ITEMS = 4
ACTS = {
    "claim": 30,
    "report": 25,
    "give back": 6,
    "steer": 20,
    "recall": 8,
    "priority": 4,
    "order": 6,
    "home report": 4,
    "home reading": 3,
    "images": 6,
    "time": 8,
    "plan": 3,
    "rules": 2,
}


class Hand:
    """One who does things at random, with a seed; what is refused is counted as such."""

    def __init__(self, database: Database, items: list[int], seed: int) -> None:
        self.database, self.items, self.dice = database, items, random.Random(seed)
        self.number, self.done = seed * 100_000, Counter[str]()

    def act(self) -> None:
        what = self.dice.choices(list(ACTS), list(ACTS.values()))[0]
        try:
            getattr(self, what.replace(" ", "_"))(self.dice.randrange(ITEMS))
        except REFUSED:
            self.done[f"{what}, refused"] += 1
        else:
            self.done[what] += 1

    def claim(self, item: int) -> None:
        with self.database.app.begin() as connection:
            wish = Wish(item_id=self.items[item] if self.dice.random() < 0.7 else None)
            claim_reading(connection, "storm", self._somebody(), wish, lease_seconds=self.dice.choice((1, 600)))

    def report(self, item: int) -> None:
        status = self.dice.choice((ReportStatus.VERIFIED, ReportStatus.VERIFIED, *ReportStatus))
        found = self._a_claim(item)
        if found is not None:
            words = ReportGiven(status, f"words {self._next()}", ("critical",) if self.dice.random() < 0.3 else ())
            with self.database.app.begin() as connection:
                file_report(connection, "storm", found.reporter_id, found.id, found.token, words)

    def give_back(self, item: int) -> None:
        found = self._a_claim(item)
        if found is not None:
            how = self.dice.choice(("release", "skip", "renew"))
            with self.database.app.begin() as connection:
                if how == "release":
                    leases.release(connection, "storm", found.reporter_id, found.id, found.token)
                elif how == "skip":
                    leases.skip(connection, "storm", found.reporter_id, found.id, found.token, SkipReason.NO_TIME)
                    connection.execute(text("DELETE FROM item_exclusion WHERE kind = 'skipped'"))  # none runs out
                else:
                    leases.renew(connection, found.reporter_id, found.id, found.token, lease_seconds=600)

    def steer(self, item: int) -> None:
        with self.database.app.begin() as connection:
            if self.dice.random() < 0.4:
                stop, reason = self.dice.choice(STOPS)
                stop(connection, "storm", self.items[item], reason)
            else:
                self.dice.choice(RESUMES)(connection, "storm", self.items[item])

    def recall(self, item: int) -> None:
        with self.database.app.begin() as connection:
            recall(connection, "storm", self.items[item], "error-in-report")

    def priority(self, item: int) -> None:
        with self.database.app.begin() as connection:
            urgency = self.dice.choice(list(Urgency))
            life.change_priority(connection, "storm", self.items[item], urgency, "clinical-request")

    def order(self, item: int) -> None:
        urgency = self.dice.choice(list(Urgency))
        message = an_order(self._minute(), OrderControl.CHANGE, accession_number=accession(item), urgency=urgency)
        with self.database.app.begin() as connection:
            receive_order(connection, message)

    def home_report(self, item: int) -> None:
        who = self.dice.choice(("hart", "reed", None))
        final = self.dice.random() < 0.2  # few, as nothing comes after them
        status = HomeReportStatus.FINAL if final else HomeReportStatus.PRELIMINARY
        said = a_home_report(self._minute(), status, accession_number=accession(item), reporter=who)
        with self.database.app.begin() as connection:
            take_home_report(connection, said)

    def home_reading(self, item: int) -> None:
        message = Message("RIS_A", "RXA", NOW + timedelta(seconds=self._next() % 100), str(self._next()))
        with self.database.app.begin() as connection:
            said = HomeReading(message, accession(item), PATIENT, being_read=self.dice.random() < 0.3)
            receive_home_reading(connection, said)

    def images(self, item: int) -> None:
        with self.database.app.begin() as connection:
            take_in(
                connection, [Arrival(PACS_A, an_object(self._next(), study=item, accession_number=accession(item)))]
            )
        complete_quiet_studies(self.database.app)

    def time(self, _: int) -> None:
        return_lapsed(self.database.app)
        escalate_overdue(self.database.app)

    def plan(self, _: int) -> None:
        replan(self.database.app, greedy.plan, solver="greedy")

    def rules(self, _: int) -> None:
        apply_text(self.database, NOT_OFFERED.format(modality=self.dice.choice(("XR", "US"))))

    def _somebody(self) -> int:
        return reporter_id(self.database, self.dice.choice(("reed", "tran", "cole")))

    def _a_claim(self, item: int) -> Row[Any] | None:
        with self.database.app.connect() as connection:
            claims = text("SELECT * FROM claim WHERE item_id = :item ORDER BY id DESC LIMIT 2")
            found = connection.execute(claims, {"item": self.items[item]}).all()
        return self.dice.choice(found) if found else None

    def _next(self) -> int:
        self.number += 1
        return self.number

    def _minute(self) -> int:
        return self.dice.randrange(50, 70)


def accession(item: int) -> str:
    return f"00010{item}"


@pytest.mark.parametrize("turns", [25, pytest.param(300, marks=pytest.mark.proof, id="long")])
def test_many_hands_on_few_items_do_not_deadlock_and_break_nothing(network: Database, turns: int) -> None:
    apply_text(network, RULE)
    for number in range(ITEMS):
        with network.app.begin() as connection:
            take_in(connection, [Arrival(PACS_A, an_object(study=number, accession_number=accession(number)))])
    complete_quiet_studies(network.app)
    with network.owner.connect() as connection:
        items = list(connection.scalars(text("SELECT id FROM item ORDER BY id")))
    hands = [Hand(network, items, seed) for seed in range(8)]

    def work(hand: Hand) -> None:
        for _ in range(turns):
            hand.act()

    with ThreadPoolExecutor(len(hands)) as pool:
        list(pool.map(work, hands))
    replan(network.app, greedy.plan, solver="greedy")  # what it saw open may have been closed while it wrote
    assert broken(network) == {}
    settle_pay(network)
    with network.app.connect() as connection:
        assert audit.verify(connection, None).faults == ()
    assert network.count("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0
    done = sum((hand.done for hand in hands), Counter[str]())
    assert all(done[what] for what in ("claim", "report", "steer")), done
