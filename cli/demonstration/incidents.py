"""What goes wrong on any day, made to happen: each shows how the server holds, and gives what was seen.

An incident must not be staged by any other way than the API. None means that the day offered no
occasion for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

from cli.demonstration.api_client import ApiClient, UnexpectedAnswer
from cli.demonstration.work import Reading, Worker, read_one


@dataclass(frozen=True, slots=True)
class Refused:
    """A claim outside scope that was refused, with the reasons told."""

    reporter: str
    exam: str
    status: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Absent:
    """A reporter who was called away with a reading in hand; the lease holds until `expires_at` (aware)."""

    worker: Worker
    item_id: int
    exam: str
    claim_id: int
    token: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Superseded:
    """A report under a token that somebody else's claim had superseded: refused, and kept."""

    absent: Absent
    status: int
    detail: str


def claim_out_of_scope(client: ApiClient, manager: str, workers: tuple[Worker, ...]) -> Refused | None:
    """Let a radiographer ask for an item by its id that is none of theirs."""
    radiographers = [worker for worker in workers if worker.profession == "radiographer"]
    for item in chain.from_iterable(client.items(manager, modality=one, state="ready") for one in ("CT", "MR")):
        eligible = _eligible(client, manager, item["id"])
        for worker in radiographers:
            if worker.reporter in eligible:
                continue
            exam = ", ".join(one["description"] or "not described" for one in item["exams"])
            body = {"session_id": worker.session_id, "item_id": item["id"]}
            try:
                client.post(worker.reporter, "/claims", body)
            except UnexpectedAnswer as refused:
                reasons = tuple(one["detail"] for one in refused.problem.get("reasons", ()))
                return Refused(worker.reporter, exam, refused.status, reasons)
            return Refused(worker.reporter, exam, 201, ())
    return None


def called_away(client: ApiClient, manager: str, workers: tuple[Worker, ...]) -> Absent | None:
    """Let a radiologist claim a reading that a colleague in session could take over, and leave."""
    in_session = {worker.reporter for worker in workers}
    for worker in workers:
        if worker.profession != "radiologist" or worker.kind != "job_planned":
            continue
        claimed = client.post(worker.reporter, "/claims", {"session_id": worker.session_id, "purpose": "first"})
        if claimed is None:
            continue
        item = claimed["item"]
        colleagues = _eligible(client, manager, item["id"]) & in_session - {worker.reporter}
        if colleagues and claimed["level"] != "trainee" and all(one["code"] for one in item["exams"]):
            return Absent(
                worker,
                item["id"],
                item["exams"][0]["description"],
                claimed["claim_id"],
                claimed["token"],
                datetime.fromisoformat(claimed["expires_at"]),
            )
        client.post(worker.reporter, f"/claims/{claimed['claim_id']}/release", {"token": claimed["token"]})
    return None


def come_back(
    client: ApiClient, manager: str, workers: tuple[Worker, ...], absent: Absent
) -> tuple[Superseded, Reading | None]:
    """Let the absent reporter report, the lease having run out, after a colleague has taken the reading.

    Where no colleague has taken it by now, one asks for it; the second of the pair is that reading.
    """
    taken: Reading | None = None
    able = _eligible(client, manager, absent.item_id) - {absent.worker.reporter}
    colleague = next((worker for worker in workers if worker.reporter in able), None)
    if colleague is not None:
        body = {"session_id": colleague.session_id, "item_id": absent.item_id}
        try:
            taken = read_one(client, colleague, client.post(colleague.reporter, "/claims", body))
        except UnexpectedAnswer as refused:
            if refused.status not in (403, 409):  # else a colleague has it, or has read it
                raise
    report = {"token": absent.token, "status": "verified", "text": "A synthetic report that came too late."}
    try:
        client.post(absent.worker.reporter, f"/claims/{absent.claim_id}/report", report)
    except UnexpectedAnswer as refused:
        return Superseded(absent, refused.status, str(refused.problem.get("detail", ""))), taken
    return Superseded(absent, 200, "nobody had taken the reading"), taken


def give_accession_numbers(client: ApiClient, manager: str) -> int:
    """Let each trust's PACS manager give the accession numbers that images came without; gives how many."""
    given = 0
    for doubt in client.get(manager, "/exceptions", kind="missing-accession-number", limit=500)["exceptions"]:
        body = {"accession_number": f"DEMO{doubt['item_id']:08d}"}
        client.post(f"pacs-{doubt['trust'].lower()}", f"/items/{doubt['item_id']}/accession", body)
        given += 1
    return given


def classify_first(client: ApiClient, manager: str, workers: tuple[Worker, ...]) -> Reading | None:
    """Let the duty radiologist take an item that nobody has classified, say what it is, and report it."""
    duty = next((worker for worker in workers if worker.kind == "duty"), None)
    if duty is None:
        return None
    for doubt in client.get(manager, "/exceptions", kind="unmapped-exam", limit=500)["exceptions"]:
        body: dict[str, Any] = {"session_id": duty.session_id, "item_id": doubt["item_id"]}
        try:
            claimed = client.post(duty.reporter, "/claims", body)
        except UnexpectedAnswer as refused:
            if refused.status not in (403, 409):
                raise
            continue
        read = read_one(client, duty, claimed)
        if read.classified:
            return read
    return None


def _eligible(client: ApiClient, manager: str, item_id: int) -> set[str]:
    found = client.get(manager, f"/items/{item_id}/eligibility")["reporters"]
    return {one["reporter"] for one in found if one["eligible"]}
