"""What was acknowledged is in the worklist, once, whatever is killed while senders send and send again.

The long forms kill 500 times and restart PostgreSQL 50 times.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.attacks.attacked import PACS, PACS_TRUST, Attacked, attacked, echo_seconds
from tests.attacks.senders import (
    Dcmtk,
    Study,
    begin_step_at_last,
    make_study,
    send_and_meanwhile,
    send_at_last,
    write_files,
)
from tests.cli.commanding import all_processes, children_of, lives, until
from worklist.intake.arrived import digest_of

pytestmark = pytest.mark.skipif(shutil.which("storescu") is None, reason="DCMTK is not installed (apt: dcmtk)")

SEED = 20260610
#: How soon the service is itself again without help, in seconds on two cores.
#: How soon a radpool that has the machine to itself, as in the long form, is back without help.
BACK_SECONDS = 5.0
#: How long senders try before they give up, in seconds.
PATIENCE_SECONDS = 90.0

KILLS = pytest.mark.parametrize("kills", [8, pytest.param(500, marks=pytest.mark.proof, id="long")])
RESTARTS = pytest.mark.parametrize("restarts", [2, pytest.param(50, marks=pytest.mark.proof, id="long")])

#: Gives the processes of a listener that are to die.
Victims = Callable[[Attacked, random.Random], list[int]]

_studies = count(5000)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    """A radpool of its own: what is killed here must not count against what others attack."""
    with attacked(tmp_path_factory.mktemp("killed")) as running:
        yield running


@pytest.fixture(autouse=True)
def the_listener_survives() -> None:
    """Its processes are killed here, so nobody holds this module to it that they live."""


@dataclass
class Book:
    """What was acknowledged, and how often it had to be sent again for that."""

    studies: list[Study] = field(default_factory=list)
    steps: set[str] = field(default_factory=set)
    again: int = 0
    unanswered: int = 0

    def __str__(self) -> str:
        objects = sum(len(one.instances) for one in self.studies)
        return f"objects={objects} sent_again={self.again} struck_before_the_response={self.unanswered}"


@KILLS
def test_killed_listener_processes_lose_and_double_nothing(killed: Attacked, tmp_path: Path, kills: int) -> None:
    chance = random.Random(SEED)
    book = Book()
    for _ in range(kills):
        attack(killed, tmp_path, chance, book, partial(kill, chance.choice(VICTIMS), killed, chance))
    print(f"seed={SEED} kills={kills} {book}")
    assert_nothing_lost(killed, book)


@RESTARTS
def test_postgresql_that_dies_under_ingest_loses_and_doubles_nothing(
    killed: Attacked, tmp_path: Path, restarts: int
) -> None:
    chance = random.Random(SEED)
    book, back = Book(), list[float]()
    for _ in range(restarts):
        attack(killed, tmp_path, chance, book, lambda: back.append(restart_postgresql(killed)))
    print(f"seed={SEED} restarts={restarts} {book} longest_without_seconds={max(back):.1f}")
    assert max(back) < (BACK_SECONDS if restarts > 2 else PATIENCE_SECONDS), back
    assert_nothing_lost(killed, book)


def attack(killed: Attacked, folder: Path, chance: random.Random, book: Book, strike: Callable[[], None]) -> None:
    """Let two storescu send, strike while a further peer waits for its response, and see all sent to its end.

    One study comes from both at once. The further peer waits for a commit or for the journal alone, by chance.
    """
    studies = [make_study(next(_studies)) for _ in range(3)]
    shares = [write_files(folder, studies[:2]), write_files(folder, studies[1:])]
    aimed = make_study(next(_studies), series=1, objects=2)
    senders = [Dcmtk(killed.port, PACS, random.Random(chance.random())) for _ in shares]
    watched, so_many = chance.choice(senders), chance.randrange(1, 50)
    struck, after = chance.randrange(2), chance.uniform(0, 0.004)
    gives_up = threading.Event()
    step = f"{aimed.study_instance}.9", aimed
    sending = [
        *(
            threading.Thread(target=one.send, args=(share, gives_up))
            for one, share in zip(senders, shares, strict=True)
        ),
        threading.Thread(target=begin_step_at_last, args=(killed.port, PACS, *step, gives_up)),
    ]
    patience = threading.Timer(PATIENCE_SECONDS, gives_up.set)
    patience.start()
    for each in sending:
        each.start()
    until(lambda: len(watched.acknowledged) >= so_many or not sending[senders.index(watched)].is_alive())
    for number, one in enumerate(aimed.objects[0]):
        if number == struck:
            acknowledged = send_and_meanwhile(killed.port, PACS, one, lambda: strike_after(after, strike))
            book.unanswered += not acknowledged
        else:
            acknowledged = False
        if not acknowledged:
            send_at_last(killed.port, PACS, one, gives_up)
    for each in sending:
        each.join()
    patience.cancel()
    assert not gives_up.is_set(), killed.server.log()[-3000:]
    book.studies += [*studies, aimed]
    book.steps.add(step[0])
    book.again += sum(one.again for one in senders)


def strike_after(seconds: float, strike: Callable[[], None]) -> None:
    """Strike a moment later; a strike that fails is no failure of the sender in whose midst it comes."""
    time.sleep(seconds)
    try:
        strike()
    except OSError as error:
        raise RuntimeError("nobody was struck") from error


def assert_nothing_lost(killed: Attacked, book: Book) -> None:
    """Hold the worklist to the book: everything once, the counts right, the journal empty, the audit whole."""
    journal = killed.server.data / "journal"
    until(lambda: [path.name for path in journal.iterdir()] == ["aside"], 30)
    assert list((journal / "aside").iterdir()) == []
    killed.owner.dispose()  # the server that its connections knew may have died
    with killed.owner.begin() as connection:
        connection.execute(text("SELECT set_config('radpool.trust', :trust, true)"), {"trust": PACS_TRUST})
        studies = {row.uid: row for row in connection.execute(_STUDIES)}
        steps = set(connection.scalars(_STEPS))
    for sent in book.studies:
        found = studies[sent.study_instance]
        assert sorted(found.digests) == sorted(digest_of(each) for each in sent.instances)
        assert (found.instance_count, found.series_count) == (len(sent.instances), len(sent.objects))
        assert (found.counted_by_series, found.counted_by_header) == (len(sent.instances), len(sent.instances))
    assert {digest_of(step) for step in book.steps} <= steps
    numbers = [item["accession_number"] for item in killed.items()]
    assert all(numbers.count(f"ACC{sent.number}") == 1 for sent in book.studies)
    killed.server.command("check")
    killed.server.command("verify-audit")


def kill(victims: Victims, killed: Attacked, chance: random.Random) -> None:
    struck = 0
    for pid in victims(killed, chance):
        with suppress(ProcessLookupError):  # a worker whose acceptor died ends by itself
            os.kill(pid, signal.SIGKILL)
            struck += 1
    assert struck, "nobody was there to be killed"


def the_acceptor(killed: Attacked, _: random.Random) -> list[int]:
    return [listener(killed)]


def a_worker(killed: Attacked, chance: random.Random) -> list[int]:
    return [chance.choice(workers(killed))]


def acceptor_and_workers(killed: Attacked, _: random.Random) -> list[int]:
    return [listener(killed), *workers(killed)]


def listener(killed: Attacked) -> int:
    def found() -> list[int]:
        return [
            pid for pid, words in children_of(killed.server.process.pid).items() if words[1:3] == ["serve", "listener"]
        ]

    until(found)
    return found()[0]


def the_fork_server(killed: Attacked, _: random.Random) -> list[int]:
    """Give what starts workers: those that live are nobody's children then."""
    return [pid for pid, words in children_of(listener(killed)).items() if "forkserver" in " ".join(words)]


def workers(killed: Attacked) -> list[int]:
    """Give the processes that receive, by their command lines: whose children they are changes."""
    journal = str(killed.server.data / "journal")

    def found() -> list[int]:
        return [pid for pid, words in all_processes().items() if "listener-worker" in words and journal in words]

    until(found)
    return found()


VICTIMS: tuple[Victims, ...] = (the_acceptor, a_worker, a_worker, acceptor_and_workers, the_fork_server)


def restart_postgresql(killed: Attacked) -> float:
    """Let PostgreSQL die as `pg_ctl -m immediate stop` has it; give how long people and peers were without service."""
    pid = int((killed.server.data / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0])
    os.kill(pid, signal.SIGQUIT)
    until(lambda: not lives(pid))
    began = time.monotonic()
    until(lambda: killed.person.get("/worklist").status_code == 200 and echo_seconds(killed.port) < BACK_SECONDS)
    return time.monotonic() - began


_STUDIES = text(
    """
    SELECT i.study_instance_uid AS uid, s.instance_count, s.series_count,
        (SELECT array_agg(o.sop_digest) FROM instance o JOIN series e ON e.id = o.series_id WHERE e.study_id = s.id)
            AS digests,
        (SELECT sum(instance_count) FROM series e WHERE e.study_id = s.id) AS counted_by_series,
        (SELECT sum(objects) FROM header_statement h WHERE h.study_id = s.id) AS counted_by_header
    FROM study s JOIN study_identity i ON i.study_id = s.id
    """
)
_STEPS = text("SELECT step_digest FROM performed_step WHERE create_digest IS NOT NULL")
