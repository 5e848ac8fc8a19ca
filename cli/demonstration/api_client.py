"""Speaks to the demonstration's server over HTTP as its users do, each with a bearer token of their own.

It must not know what the answers mean for the demonstration.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from cli.demonstration.faults import DemonstrationFailed


class UnexpectedAnswer(DemonstrationFailed):
    """The server answered what the demonstration did not ask for; names request and problem."""

    def __init__(self, answer: httpx.Response) -> None:
        told = answer.json() if answer.headers.get("content-type", "").endswith("json") else {}
        self.problem: dict[str, Any] = told if isinstance(told, dict) else {}
        detail = self.problem.get("detail", "no detail")
        super().__init__(f"{answer.request.method} {answer.request.url.path}: {answer.status_code}, {detail}")
        self.status = answer.status_code


@dataclass(frozen=True, slots=True)
class ApiClient:
    """A connection pool to one server; used from many threads."""

    http: httpx.Client
    tokens: Mapping[str, str]

    def get(self, user: str, path: str, **query: Any) -> Any:
        """Give the body of an answer to a GET below /api/v1.

        Raises
        ------
        UnexpectedAnswer
            If it is not 200.
        """
        answer = self.http.get(f"/api/v1{path}", params=query, headers=self._headers(user))
        if answer.status_code != 200:
            raise UnexpectedAnswer(answer)
        return answer.json()

    def post(self, user: str, path: str, body: Mapping[str, Any], *, key: str | None = None) -> Any:
        """Give the body of an answer to a POST below /api/v1; None where it has none.

        Raises
        ------
        UnexpectedAnswer
            If the status is not of success.
        """
        headers = {**self._headers(user), **({"Idempotency-Key": key} if key else {})}
        answer = self.http.post(f"/api/v1{path}", json=body, headers=headers)
        if not answer.is_success:
            raise UnexpectedAnswer(answer)
        return answer.json() if answer.content else None

    def items(self, user: str, **query: Any) -> Iterator[dict[str, Any]]:
        """Give every item of a worklist, page by page."""
        cursor: str | None = None
        while True:
            more = {"cursor": cursor} if cursor else {}
            page = self.get(user, "/worklist", limit=500, **query, **more)
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def figure(self, name: str, **labels: str) -> float:
        """Give the sum of a Prometheus figure over the series that have these labels."""
        families = text_string_to_metric_families(self.http.get("/metrics").text)
        samples = [sample for family in families for sample in family.samples if sample.name == name]
        return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())

    def _headers(self, user: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[user]}"}


def api_client(where: str, tokens: Mapping[str, str]) -> ApiClient:
    """Make a client of the server at HOST:PORT; the caller closes its `http`."""
    return ApiClient(httpx.Client(base_url=f"http://{where}", timeout=30), tokens)
