"""Keeps the answers given under Idempotency-Keys, in the act's own transaction, and gives them again.

What is kept holds no identity: who the patient is stays under row-level security alone and is read
anew when an answer is repeated, as the one who asks may see it then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, text

from api.permissions import Principal
from api.schemas.work import item_of
from worklist.db.tables.log import idempotency_key
from worklist.item_view import read_items
from worklist.log import audit

#: What of an item is identity; what a source called an exam that is not mapped may name people as well.
_IDENTITY = ("accession_number", "patient", "order")


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer once given, and the digest of the request that it answered."""

    request_digest: bytes
    status: int
    content: Any


def kept_answer(connection: Connection, who: Principal, key: str) -> Kept | None:
    """Give what a user was answered under a key; waits for a request under the same key that is at work."""
    connection.execute(_ONE_AT_A_TIME, {"key": f"{who.user_id} {key}"})
    row = connection.execute(
        select(idempotency_key).where(idempotency_key.c.user_id == who.user_id, idempotency_key.c.key == key)
    ).one_or_none()
    return None if row is None else Kept(bytes(row.request_digest), row.status, row.body)


def keep_answer(connection: Connection, who: Principal, key: str, kept: Kept) -> None:
    """Keep an answer (plain JSON) under a key."""
    connection.execute(
        insert(idempotency_key).values(
            user_id=who.user_id,
            key=key,
            request_digest=kept.request_digest,
            status=kept.status,
            body=_with_item(kept.content, _nothing_of(kept.content)),
        )
    )


def with_identity(connection: Connection, who: Principal, content: Any) -> Any:
    """Put back the identities that a kept answer left out, as far as they may be seen now."""
    shown = _item_in(content)
    views = read_items(connection, [shown["id"]]) if shown is not None else []
    if not views:
        return content
    if views[0].patient is not None:
        audit.append(connection, who.name, "item read", items=[views[0].id], detail={"answer": "repeated"})
    seen = item_of(views[0]).model_dump(mode="json", include={*_IDENTITY, "exams"})
    now_seen = seen.pop("exams")
    if shown is not None and "exams" in shown:
        words = [one["description"] for one in now_seen if one["code"] is None]
        seen["exams"] = _exams_with(shown["exams"], words)
    return _with_item(content, seen)


def _nothing_of(content: Any) -> dict[str, Any]:
    """Give the identities of an answer's item as they are kept: not at all."""
    shown = _item_in(content)
    nothing: dict[str, Any] = dict.fromkeys(_IDENTITY)
    return {**nothing, "exams": _exams_with(shown["exams"], [])} if shown is not None and "exams" in shown else nothing


def _exams_with(exams: list[dict[str, Any]], words: list[str | None]) -> list[dict[str, Any]]:
    """Give exams, those not mapped with these words in their order, or none where there are fewer."""
    left = iter(words)
    return [one if one["code"] is not None else {**one, "description": next(left, None)} for one in exams]


def _item_in(content: Any) -> dict[str, Any] | None:
    """Give the item in an answer: the answer itself or under `item`."""
    if not isinstance(content, dict):
        return None
    inner = content.get("item", content)
    return inner if isinstance(inner, dict) and "accession_number" in inner else None


def _with_item(content: Any, values: dict[str, Any]) -> Any:
    shown = _item_in(content)
    if shown is None:
        return content
    changed = {**shown, **values}
    return {**content, "item": changed} if "item" in content else changed


_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(7223008, hashtext(:key))")
