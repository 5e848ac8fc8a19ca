"""Works the worklist as reporters do, over HTTP: claim, read, report; many reporters at one time.

It must not choose readings: it takes what the server gives. What is reported is invented.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cli.demonstration.api_client import ApiClient, UnexpectedAnswer

_AT_ONE_TIME = 8


@dataclass(frozen=True, slots=True)
class Worker:
    """A reporter in a session that runs now; `kind` is the session's."""

    reporter: str
    profession: str
    session_id: str
    kind: str


@dataclass(frozen=True, slots=True)
class Reading:
    """A claimed reading and what became of it: `verified`, `preliminary`, `skipped`, `referred` or `released`."""

    worker: Worker
    item_id: int
    trust: str
    modality: str
    exam: str
    purpose: str
    level: str
    minutes: float
    why: tuple[str, ...]
    outcome: str
    classified: bool = False


@dataclass(slots=True)
class Tally:
    """What all reporters did so far; added to from the demonstration's own thread only."""

    readings: list[Reading] = field(default_factory=list)
    repeated_alike: int = 0
    renewed: int = 0

    def count(self, outcome: str) -> int:
        """Give how many readings ended so."""
        return sum(reading.outcome == outcome for reading in self.readings)


def workers_at(client: ApiClient, manager: str, at: datetime) -> tuple[Worker, ...]:
    """Give who has a session running at an instant, in order of their ids."""
    professions = {one["id"]: one["profession"] for one in client.get(manager, "/reporters")["reporters"]}
    period = {"from": at.isoformat(), "to": (at + timedelta(seconds=1)).isoformat()}
    found = client.get(manager, "/sessions", **period)["sessions"]
    running = [Worker(one["reporter"], professions[one["reporter"]], one["id"], one["kind"]) for one in found]
    return tuple(sorted(running, key=lambda worker: worker.reporter))


def work_round(
    client: ApiClient, workers: Sequence[Worker], minutes: float, tally: Tally, progress: Callable[[int], None]
) -> int:
    """Let every worker read for some reporting minutes, side by side; gives how many readings they took."""
    before = len(tally.readings)
    pool = ThreadPoolExecutor(max_workers=_AT_ONE_TIME, thread_name_prefix="reporter")
    try:
        turns = [pool.submit(_Turn(client, worker).work, minutes) for worker in workers]
        for turn in as_completed(turns):
            done = turn.result()
            tally.readings += done.readings
            tally.repeated_alike += done.repeated_alike
            tally.renewed += done.renewed
            progress(len(done.readings))
    finally:
        pool.shutdown(cancel_futures=True)
    return len(tally.readings) - before


def read_one(client: ApiClient, worker: Worker, claimed: dict[str, Any], *, may_decline: bool = False) -> Reading:
    """Read what was claimed: classify it if nobody has, then report it, or decline it with a reason."""
    item, claim_id, token = claimed["item"], claimed["claim_id"], claimed["token"]
    unmapped = [exam for exam in item["exams"] if exam["code"] is None]
    classified = False
    if unmapped:
        seen = _SEEN_IN_IMAGES.get(unmapped[0]["description"] or "")
        if seen is None:
            outcome = "skipped"
            body = {"token": token, "reason": "other", "note": "not an exam of the catalogue"}
            client.post(worker.reporter, f"/claims/{claim_id}/skip", body)
            return _reading(worker, claimed, outcome)
        client.post(worker.reporter, f"/items/{item['id']}/classify", {"exam_codes": [seen]})
        classified = True
    if may_decline:
        outcome = _decline(client, worker, claim_id, token)
        return _reading(worker, claimed, outcome, classified=classified)
    outcome = "preliminary" if claimed["level"] == "trainee" and claimed["purpose"] != "check" else "verified"
    report = {"token": token, "status": outcome, "text": _words(item), "alerts": _alerts(item)}
    if claimed["purpose"] == "check":
        report |= _checked(item)
    try:
        client.post(worker.reporter, f"/claims/{claim_id}/report", report, key=f"report-{claim_id}")
    except UnexpectedAnswer as refused:
        if refused.status != 403:
            raise
        # What it turned out to be is outside the reporter's scope: it goes back for somebody else.
        client.post(worker.reporter, f"/claims/{claim_id}/release", {"token": token})
        outcome = "released"
    return _reading(worker, claimed, outcome, classified=classified)


class _Turn:
    """One reporter's share of a round."""

    def __init__(self, client: ApiClient, worker: Worker) -> None:
        self._client, self._worker = client, worker
        self._tally = Tally()

    def work(self, minutes: float) -> Tally:
        spent = 0.0
        while spent < minutes:
            claimed = self._claim()
            if claimed is None:
                break
            number = claimed["claim_id"]
            if number % _RENEWS_EVERY == 0:
                token = {"token": claimed["token"]}
                self._client.post(self._worker.reporter, f"/claims/{number}/renew", token)
                self._tally.renewed += 1
            done = read_one(self._client, self._worker, claimed, may_decline=number % _DECLINES_EVERY == 0)
            self._tally.readings.append(done)
            spent += done.minutes
        return self._tally

    def _claim(self) -> dict[str, Any] | None:
        """Claim the next reading; sometimes the request is sent twice, as after a lost answer."""
        key = f"claim-{next(_KEYS)}"
        body = {"session_id": self._worker.session_id}
        claimed: dict[str, Any] | None = self._client.post(self._worker.reporter, "/claims", body, key=key)
        if claimed is not None and claimed["claim_id"] % _REPEATS_EVERY == 0:
            again = self._client.post(self._worker.reporter, "/claims", body, key=key)
            self._tally.repeated_alike += again == claimed
        return claimed


_KEYS = itertools.count(1)
#: Every so many claims something besides reporting happens.
_RENEWS_EVERY, _DECLINES_EVERY, _REPEATS_EVERY = 5, 17, 11

#: What a duty radiologist sees the images to be where the words sent are not the catalogue's.
_SEEN_IN_IMAGES = {
    "l-spine^General": "MLSPN",
    "CT Abdomen & pelvis wi": "CABPEC",
    "XR Local projection 7": "XFOOL",
    "TIB/FIB RIGHT": "XTIFR",
    '=HYPERLINK("#")<b>Knee</b>': "XKNEL",
    "CT Head": "MHEAD",  # so coded, but the images are MR
}


def _decline(client: ApiClient, worker: Worker, claim_id: int, token: int) -> str:
    if worker.profession == "radiographer":
        body = {"token": token, "note": "wants a radiologist's opinion"}
        client.post(worker.reporter, f"/claims/{claim_id}/refer", body)
        return "referred"
    client.post(worker.reporter, f"/claims/{claim_id}/skip", {"token": token, "reason": "competence"})
    return "skipped"


def _reading(worker: Worker, claimed: dict[str, Any], outcome: str, *, classified: bool = False) -> Reading:
    item = claimed["item"]
    return Reading(
        worker,
        item["id"],
        item["trust"],
        item["modality"] or "?",
        ", ".join(exam["description"] or "not described" for exam in item["exams"]),
        claimed["purpose"],
        claimed["level"],
        float(item["reporting_minutes"] or 0) / (2 if claimed["purpose"] == "check" else 1),
        tuple(claimed["why"]),
        outcome,
        classified,
    )


def _words(item: dict[str, Any]) -> str:
    described = item["exams"][0]["description"] or "Examination"
    found = "No acute abnormality is shown." if item["id"] % 3 else "Appearances as described; follow-up is suggested."
    return f"{described}. {found} Conclusion: this is a synthetic report of a demonstration."


def _checked(item: dict[str, Any]) -> dict[str, str]:
    """Give what a check makes of a trainee's report: now and then it changes what the requester was told."""
    if item["id"] % 3:
        return {"discrepancy": "none"}
    return {"discrepancy": "material", "text": f"{_words(item)} On review there is a further finding."}


def _alerts(item: dict[str, Any]) -> list[str]:
    if item["urgency"] == "suspected_cancer" and item["id"] % 4 == 0:
        return ["cancer"]
    return ["critical"] if item["urgency"] == "stroke" and item["id"] % 2 == 0 else []
