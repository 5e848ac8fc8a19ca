"""The play of a demonstration: two acts of work on one day, and images of other makers at the end.

It tells each step through `Teller` as it happens, and gives what happened. It must not start the
server, nor judge whether the run was as expected.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from cli.demonstration import incidents
from cli.demonstration.acts import DemonstrationDay, demonstration_day
from cli.demonstration.api_client import ApiClient
from cli.demonstration.network import demonstration_rota
from cli.demonstration.pacs import Sent, send, send_files
from cli.demonstration.server import DemoServer
from cli.demonstration.stage import Stage, wait_until
from cli.demonstration.studies import DemoStudy, pydicom_test_files, studies
from cli.demonstration.telling import Teller
from cli.demonstration.work import Tally, work_round, workers_at
from worklist.local_time import LONDON
from worklist.turnaround.bank_holidays import england_bank_holidays

MANAGER, FINANCE = "manager", "finance"
#: Each round of an act is this long by the server's clock, and so much does each reporter read in it.
ROUND_MINUTES = 15
_ROUNDS = 6
_MORNING_PERCENT = 60
_SENDERS = 6
_QUIET = timedelta(seconds=2)
_CALLED = "RADPOOL"
_OTHER_MAKERS_SOURCE = "PACS_WEST1"


@dataclass(slots=True)
class Played:
    """What happened; figures of the server itself are read afterwards."""

    sent: list[Sent] = field(default_factory=list)
    other_makers: Sent | None = None
    planned: set[int] = field(default_factory=set)
    unassigned_by_reason: dict[str, int] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
    refused: incidents.Refused | None = None
    superseded: incidents.Superseded | None = None
    accessions_given: int = 0
    reading_classified: bool = False

    @property
    def received(self) -> int:
        """Objects that were acknowledged with success."""
        return sum(sent.accepted for sent in self.sent)

    @property
    def claimed(self) -> int:
        """Claims made, that of the reporter who was called away among them."""
        return len(self.tally.readings) + (self.superseded is not None)

    @property
    def own_studies_refused(self) -> int:
        """Objects of the synthetic studies that were refused; none should be."""
        return sum(len(sent.refused) for sent in self.sent if sent is not self.other_makers)


@dataclass(frozen=True, slots=True)
class Play:
    """One demonstration on a running server."""

    server: DemoServer
    stage: Stage
    client: ApiClient
    tell: Teller

    def perform(self, day: DemonstrationDay, count: int, seed: int) -> Played:
        """Play both acts, and send what other makers' devices made."""
        played = Played()
        first = max(1, count * _MORNING_PERCENT // 100)
        self._open_act("Morning", day.morning_at - self.stage.now())
        self._images_come(played, seed, slice(0, first))
        absent = self._before_work(played)
        self._work(played, leave_out=absent.worker.reporter if absent else None)
        if absent is not None:
            self._come_back(played, absent)
        self._open_act("Evening", day.evening_at - self.stage.now())
        self._images_come(played, seed, slice(first, count))
        self._work(played)
        self._other_makers(played)
        return played

    def _open_act(self, name: str, by: timedelta) -> None:
        at = self.stage.move_clock(by).astimezone(LONDON)
        sessions = workers_at(self.client, MANAGER, at)
        self.tell.act(name, by, at, sessions)

    def _images_come(self, played: Played, seed: int, which: slice) -> None:
        made = studies(seed, which.stop, self.stage.now())[which]
        sent = self._send(made)
        played.sent.append(sent)
        self._wait_for_completion()
        plan = self.stage.wait_for_plan()
        played.planned |= plan.assigned
        played.unassigned_by_reason = plan.unassigned_by_reason
        self.tell.arrived(len(made), sent, plan)

    def _send(self, made: Sequence[DemoStudy]) -> Sent:
        host, port = _place(self.server.dicom)
        with self.tell.progress("Sending", sum(len(study.datasets) for study in made)) as done:
            return send(made, host, port, _CALLED, senders=_SENDERS, progress=done)

    def _wait_for_completion(self) -> None:
        """Wait until every study is complete; the clock is moved over the quiet time that sources are given."""
        self.stage.move_clock(_QUIET)

        def complete() -> bool:
            return self.client.figure("radpool_studies_arriving") == 0

        wait_until(complete, 60, "the last studies to be complete")

    def _before_work(self, played: Played) -> incidents.Absent | None:
        workers = workers_at(self.client, MANAGER, self.stage.now())
        played.refused = incidents.claim_out_of_scope(self.client, MANAGER, workers)
        played.accessions_given = incidents.give_accession_numbers(self.client, MANAGER)
        classified = incidents.classify_first(self.client, MANAGER, workers)
        if classified is not None:
            played.tally.readings.append(classified)
        absent = incidents.called_away(self.client, MANAGER, workers)
        self.tell.before_work(played.refused, played.accessions_given, classified, absent)
        return absent

    def _work(self, played: Played, *, leave_out: str | None = None) -> None:
        """Read in rounds until nothing eligible is left or the act ends; the clock goes on with the work."""
        began, before = time.monotonic(), len(played.tally.readings)
        waiting = self.stage.plan().waiting
        with self.tell.progress("Reporting", waiting) as done:
            for left in range(_ROUNDS, 0, -1):
                found = workers_at(self.client, MANAGER, self.stage.now())
                workers = [worker for worker in found if worker.reporter != leave_out]
                taken = work_round(self.client, workers, ROUND_MINUTES, played.tally, done)
                played.planned |= self.stage.plan().assigned
                rounds = 1 if taken else left  # an act ends when it ends, also where nothing is left to read
                self.stage.wait_for_homes()
                self.stage.move_clock(timedelta(minutes=ROUND_MINUTES * rounds))
                if not taken:
                    break
        self.tell.worked(played.tally.readings[before:], time.monotonic() - began)

    def _come_back(self, played: Played, absent: incidents.Absent) -> None:
        self.stage.wait_for_homes()
        now = self.stage.now()
        if now <= absent.expires_at:
            now = self.stage.move_clock(absent.expires_at - now + timedelta(minutes=1))
        played.superseded, taken = incidents.come_back(
            self.client, MANAGER, workers_at(self.client, MANAGER, now), absent
        )
        if taken is not None:
            played.tally.readings.append(taken)
            self.stage.wait_for_homes()
        self.tell.came_back(played.superseded)

    def _other_makers(self, played: Played) -> None:
        files = pydicom_test_files()
        host, port = _place(self.server.dicom)
        with self.tell.progress("Sending", len(files)) as done:
            sent = send_files(files, _OTHER_MAKERS_SOURCE, host, port, _CALLED, senders=_SENDERS, progress=done)
        played.sent.append(sent)
        played.other_makers = sent
        self._wait_for_completion()
        self.tell.other_makers(sent)


def choose_day(stage: Stage) -> DemonstrationDay:
    """Choose the day to play on, by the server's clock and the demonstration network's rota."""
    now = stage.now()
    return demonstration_day(demonstration_rota(), now, england_bank_holidays((now.year, now.year + 1)))


def _place(where: str) -> tuple[str, int]:
    host, _, port = where.rpartition(":")
    return host, int(port)
