"""Claims as many clients at once: processes of threads, each thread one reporter with its own connection.

It must not measure anything but the use case itself, as the API calls it, commit included.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from threading import Barrier
from typing import Any
from unittest.mock import patch

from sqlalchemy import Connection, Engine

from allocation.claims import Wish, claim_reading
from worklist.db.engine import make_engine

LEASE_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Round:
    """What the clients did in one round: claims as (reading, token), seconds of each, answers of "nothing"."""

    seconds: float
    claims: tuple[tuple[int, int], ...]
    latencies: tuple[float, ...]
    nothing: int

    @property
    def rate(self) -> float:
        """Claims per second."""
        return len(self.claims) / self.seconds


@dataclass(slots=True)
class Clients:
    """Some client processes that wait for the word to claim."""

    pipes: Sequence[Pipe]

    def claim_for(self, seconds: float, *, audited: bool) -> Round:
        """Let all clients claim as fast as they can for some seconds."""
        for pipe in self.pipes:
            pipe.send((seconds, audited))
        answers = [_answer(pipe) for pipe in self.pipes]
        return Round(
            seconds=max(answer.seconds for answer in answers),
            claims=tuple(one for answer in answers for one in answer.claims),
            latencies=tuple(one for answer in answers for one in answer.latencies),
            nothing=sum(answer.nothing for answer in answers),
        )


@contextmanager
def clients(url: str, reporters: Sequence[int], processes: int) -> Iterator[Clients]:
    """Start one client per reporter, spread over processes so that no interpreter lock holds them all."""
    spawn = multiprocessing.get_context("spawn")
    shares = [reporters[number::processes] for number in range(processes)]
    started, pipes = [], []
    for share in shares:
        ours, theirs = spawn.Pipe()
        process = spawn.Process(target=_serve, args=(theirs, url, list(share)), daemon=True)
        process.start()
        theirs.close()
        started.append(process)
        pipes.append(ours)
    try:
        for pipe in pipes:
            _answer(pipe)
        yield Clients(pipes)
    finally:
        for pipe in pipes:
            pipe.close()
        for process in started:
            process.join(timeout=10)


def _answer(pipe: Pipe) -> Any:
    answer = pipe.recv()
    if isinstance(answer, Exception):
        raise answer
    return answer


def _serve(pipe: Pipe, url: str, reporters: list[int]) -> None:
    """Be one client process: a round for each word from the pipe, until the pipe closes."""
    engine = make_engine(url, pool_size=len(reporters))
    with ThreadPoolExecutor(len(reporters)) as threads:
        together = Barrier(len(reporters))
        list(threads.map(lambda _: _connect(engine, together), reporters))
        pipe.send("connected")
        while True:
            try:
                seconds, audited = pipe.recv()
            except EOFError:
                break
            try:
                pipe.send(_round(threads, engine, reporters, seconds, audited=audited))
            except Exception as error:  # the process that asked raises it
                pipe.send(RuntimeError(f"{type(error).__name__}: {error}"))
    engine.dispose()


def _connect(engine: Engine, together: Barrier) -> None:
    with engine.connect():
        together.wait()


def _round(
    threads: ThreadPoolExecutor, engine: Engine, reporters: Sequence[int], seconds: float, *, audited: bool
) -> Round:
    def work(reporter_id: int) -> Round:
        return _claim_until(time.perf_counter() + seconds, lambda: _claim_once(engine, reporter_id))

    with nullcontext() if audited else patch("worklist.log.audit.append", _no_entry):
        done = list(threads.map(work, reporters))
    return Round(
        max(one.seconds for one in done),
        tuple(claim for one in done for claim in one.claims),
        tuple(latency for one in done for latency in one.latencies),
        sum(one.nothing for one in done),
    )


def _claim_until(end: float, claim_once: Callable[[], tuple[int, int] | None]) -> Round:
    claims, latencies, nothing = [], [], 0
    began = before = time.perf_counter()
    while before < end:
        made = claim_once()
        after = time.perf_counter()
        if made is None:
            nothing += 1
        else:
            claims.append(made)
            latencies.append(after - before)
        before = after
    return Round(before - began, tuple(claims), tuple(latencies), nothing)


def _claim_once(engine: Engine, reporter_id: int) -> tuple[int, int] | None:
    with engine.begin() as connection:
        made = claim_reading(connection, f"reporter:{reporter_id}", reporter_id, Wish(), lease_seconds=LEASE_SECONDS)
    return None if made is None else (made.reading_id, made.token)


def _no_entry(connection: Connection, actor: str, action: str, **_: Any) -> None:
    """Stand in for `worklist.log.audit.append` where the cost of the audit is to be known."""
