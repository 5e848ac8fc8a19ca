"""Sets the stage: the network imported, people given accounts, the clock moved; by the same use cases as the commands.

It must not send or report anything.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, text

from allocation.configuration.apply import apply
from allocation.configuration.read import ReadNetwork
from api.accounts import add_user, issue_token
from api.permissions import Role
from cli.data_folder import of_cluster
from cli.demonstration.faults import DemonstrationFailed
from worklist import clock
from worklist.db import embedded

#: The accounts of a demonstration that are nobody's of a trust: name and role. Beside them stand
#: `manager-ODS` and `pacs-ODS` of each trust, and one per reporter, named like the reporter's id.
NETWORK_ACCOUNTS = {
    "manager": Role.NETWORK_MANAGER,
    "finance": Role.FINANCE,
    "auditor": Role.AUDITOR,
}
_TOKEN_DAYS = 30
#: In this time the allocator has had several turns.
_PLAN_SECONDS = 3.0


class TookTooLong(DemonstrationFailed):
    """Something that the server should have done by itself did not happen in time."""


@dataclass(frozen=True, slots=True)
class PlanFigures:
    """The plan as it stands: what waits, what is assigned, and what could not be, by reason."""

    waiting: int
    assigned: frozenset[int]
    unassigned_by_reason: dict[str, int]


@dataclass(frozen=True, slots=True)
class Stage:
    """The database of a demonstration, as the application and as the owner."""

    app: Engine
    owner: Engine

    def now(self) -> datetime:
        """Give the server's time (aware)."""
        with self.app.connect() as connection:
            return clock.now(connection)

    def move_clock(self, by: timedelta) -> datetime:
        """Move the server's clock, as `radpool clock` does, and give its new time."""
        with self.owner.begin() as connection:
            return clock.move(connection, by)

    def import_network(self, network: ReadNetwork) -> dict[str, int]:
        """Import a configuration, as `radpool import` does, and give its rows per table."""
        with self.app.begin() as connection:
            return apply(connection, network, by="demonstration").rows

    def open_accounts(self, trusts: Sequence[str], reporters: Sequence[str]) -> dict[str, str]:
        """Make the demonstration's accounts and give the token of each by name."""
        tokens = {}
        with self.app.begin() as connection:
            for name, role in NETWORK_ACCOUNTS.items():
                add_user(connection, name, {role})
            for trust in trusts:
                add_user(connection, f"manager-{trust.lower()}", {Role.TRUST_MANAGER}, trust=trust)
                add_user(connection, f"pacs-{trust.lower()}", {Role.PACS_MANAGER}, trust=trust)
            for reporter in reporters:
                add_user(connection, reporter, {Role.REPORTER}, reporter_code=reporter)
            of_trusts = [f"{kind}-{trust.lower()}" for trust in trusts for kind in ("manager", "pacs")]
            for name in (*NETWORK_ACCOUNTS, *of_trusts, *reporters):
                tokens[name] = issue_token(connection, name, days=_TOKEN_DAYS)
        return tokens

    def plan(self) -> PlanFigures:
        """Read the plan in force."""
        with self.app.connect() as connection:
            assigned = connection.scalars(text("SELECT reading_id FROM assignment WHERE valid_until > radpool_now()"))
            last = connection.execute(text("SELECT * FROM plan_run ORDER BY id DESC LIMIT 1")).one_or_none()
            return PlanFigures(
                last.readings if last else 0,
                frozenset(assigned.all()),
                dict(last.unassigned_by_reason) if last else {},
            )

    def wait_for_plan(self) -> PlanFigures:
        """Wait until the allocator has planned with everything that waits now, and give the plan.

        A plan as the last one leaves no row, so after some of the allocator's turns the plan in
        force is taken as it is.
        """
        with self.app.connect() as connection:
            waiting = connection.scalar(
                text("SELECT count(*) FROM reading WHERE state = 'open' AND free_from <= radpool_now()")
            )
        began = time.monotonic()

        def planned() -> bool:
            found = self.plan()
            return bool(found.assigned) and (found.waiting == waiting or time.monotonic() - began > _PLAN_SECONDS)

        wait_until(planned, 30, "a plan")
        return self.plan()

    def wait_for_homes(self) -> None:
        """Wait until the home RIS have every report that was verified: then the clocks of their items have stopped.

        An item whose trust has no RIS that takes messages stops its clock by itself.
        """

        def arrived() -> bool:
            with self.app.connect() as connection:
                return not connection.scalar(_ON_THE_WAY)

        wait_until(arrived, 60, "the home RIS to take the reports")


_ON_THE_WAY = text("SELECT EXISTS (SELECT FROM item WHERE verified_at IS NOT NULL AND reported_at IS NULL)")


def wait_until(done: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait until something is so.

    Raises
    ------
    TookTooLong
        If it is not so after `seconds`; says what was waited for.
    """
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise TookTooLong(f"after {seconds:g} s still waiting for {what}")
        time.sleep(0.1)


@contextmanager
def open_stage(data: Path) -> Iterator[Stage]:
    """Open the database of a running demonstration."""
    cluster = embedded.running(data)
    if cluster is None:
        raise TookTooLong("the server is ready but its database does not run")
    address = of_cluster(cluster)
    stage = Stage(address.app_engine(pool_size=2), address.owner_engine())
    try:
        yield stage
    finally:
        stage.app.dispose()
        stage.owner.dispose()
