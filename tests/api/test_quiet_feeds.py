"""A list says which of its feeds have gone quiet: an empty list may be a broken feed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from api.permissions import Role
from tests.api.serving import Served
from tests.conftest import NOW, set_clock
from tests.worklist.feeds.test_heard import judge, known


@pytest.fixture
def silent(api: Served) -> Served:
    """A network whose PACS of RXA has been quiet for an hour; it usually is not."""
    known(api.database)
    set_clock(api.database.owner, NOW + timedelta(hours=1))
    judge(api.database)
    return api


def told(answer: dict[str, list[dict[str, str]]]) -> list[tuple[str, str, str]]:
    return [(one["kind"], one["name"], one["trust"]) for one in answer["quiet_feeds"]]


def test_a_list_names_the_quiet_feeds_of_the_trusts_in_it(silent: Served) -> None:
    quiet = [("dicom", "PACS_A", "RXA")]
    assert told(silent.as_(Role.NETWORK_MANAGER).get("/worklist").json()) == quiet
    assert told(silent.as_(Role.COORDINATOR, trust="RXA").get("/worklist").json()) == quiet
    assert told(silent.as_(Role.COORDINATOR, trust="RXB").get("/worklist").json()) == []
    assert told(silent.as_(Role.NETWORK_MANAGER).get("/worklist", params={"trust": "RXB"}).json()) == []


def test_a_reporter_s_list_names_those_of_the_trusts_that_they_report_for(silent: Served) -> None:
    assert told(silent.reporter("hart").get("/worklist").json()) == [("dicom", "PACS_A", "RXA")]
    assert told(silent.reporter("hart").get("/worklist", params={"trust": "RXB"}).json()) == []
