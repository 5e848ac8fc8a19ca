"""The allocator process: plans, posts pay, takes back lapsed leases, escalates alerts, keeps eligibility indexed."""

from __future__ import annotations

import math
import threading
import time
from datetime import date

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from allocation.leases import return_lapsed
from allocation.pay import ledger
from allocation.planner import greedy
from allocation.planner.run import news_since, replan
from allocation.suspension import take_back_ended
from allocation.workforce import rebuild_index
from cli.running import Given, service
from worklist.alerts.acts import escalate_overdue
from worklist.clock import now
from worklist.intake.remapping import work_out_noted
from worklist.local_time import LONDON
from worklist.log import events
from worklist.log.wakeups import Wakeups, listening

log = structlog.get_logger(__name__)

#: After a wake-up, wait this long for more news before planning.
_DEBOUNCE_SECONDS = 0.15
#: How often it is looked at whether who holds work may still report it.
_TAKE_BACK_SECONDS = 15.0


def run(given: Given) -> None:
    """Allocate until asked to end."""
    settings = given.settings
    with (
        service("allocator", given, pool_size=4) as running,
        listening(running.driver_url, settings.redis_url) as wakeups,
    ):
        allocator = Allocator(running.engine, settings.plan_seconds)
        while not running.stop.is_set():
            try:
                allocator.step()
            except DBAPIError as error:
                log.warning("turn not finished; will try again", error=type(error).__name__)
                running.stop.wait(0.5)
                continue
            _wait(wakeups, running.stop, settings.plan_seconds)


class Allocator:
    """The turns of the allocator: what is due is done, in order of who waits for it."""

    def __init__(self, engine: Engine, plan_seconds: float) -> None:
        self._engine = engine
        self._plan_seconds = plan_seconds
        self._indexed_on: date | None = None
        self._planned_at = -math.inf
        self._taken_back_at = -math.inf
        self._planned_up_to = 0

    def step(self) -> None:
        """Do one turn: lapsed leases, ended rights, overdue alerts, changed mappings, pay, the index, a plan."""
        return_lapsed(self._engine)
        escalate_overdue(self._engine)
        self._take_back()
        work_out_noted(self._engine)
        while events.consume(self._engine, ledger.CONSUMER, ledger.post, kinds=ledger.KINDS):
            pass
        self._keep_index()
        self._keep_plan()

    def _keep_plan(self) -> None:
        """Plan when something happened that a plan hangs on, and by the clock: sessions begin and end."""
        with self._engine.begin() as connection:
            news = news_since(connection, self._planned_up_to)
        overdue = time.monotonic() >= self._planned_at + self._plan_seconds
        if not (news.matters or overdue):
            self._planned_up_to = news.position
        elif replan(self._engine, greedy.plan, solver="greedy") is not None:
            self._planned_up_to = news.position
            self._planned_at = time.monotonic()

    def _take_back(self) -> None:
        """Take back what is held without a right to it: dates end rights, and facts become known."""
        if time.monotonic() >= self._taken_back_at + _TAKE_BACK_SECONDS:
            taken = take_back_ended(self._engine, "allocator")
            self._taken_back_at = time.monotonic()
            if taken:
                log.warning("taken back from who may not report it any more", items=taken)

    def _keep_index(self) -> None:
        """Rebuild the index when the local date changes: entitlements begin and end by the day."""
        with self._engine.begin() as connection:
            today = now(connection).astimezone(LONDON).date()
            if today != self._indexed_on:
                rebuild_index(connection)
        self._indexed_on = today


def _wait(wakeups: Wakeups, stop: threading.Event, seconds: float) -> None:
    if wakeups.wait(min(seconds, 1.0)):
        stop.wait(_DEBOUNCE_SECONDS)
