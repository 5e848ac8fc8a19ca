"""How long the words of a report are kept after every RIS has had them."""

from __future__ import annotations

from hl7_listener.delivery import line
from tests.allocation.claims.claiming import let_pass
from tests.builders import arrive
from tests.conftest import Database
from tests.hl7_listener.delivery.telling import (
    at_home,
    put_in_line,
    verify,
)
from tests.hl7_listener.delivery.test_line import REJECTED, TAKEN, answer, take_next


class TestWords:
    """The words of a report stay until every RIS has had them for a while."""

    def test_words_are_deleted_some_days_after_the_acknowledgement(self, network: Database) -> None:
        at_home(network, 1)
        arrive(network)
        verify(network)
        put_in_line(network)
        assert _forget(network, days=1) == 0
        answer(network, take_next(network), TAKEN)
        assert _forget(network, days=1) == 0
        let_pass(network, 86401)
        assert _forget(network, days=1) == 1
        assert network.count("SELECT count(*) FROM report_text") == 0

    def test_words_that_were_given_up_or_never_put_in_line_stay(self, network: Database) -> None:
        arrive(network)
        verify(network)
        put_in_line(network)
        at_home(network, 1)
        arrive(network)
        verify(network)
        put_in_line(network)
        answer(network, take_next(network), REJECTED)
        let_pass(network, 10 * 86400)
        assert _forget(network, days=1) == 0


def _forget(database: Database, *, days: float) -> int:
    with database.app.begin() as connection:
        return line.forget_words(connection, after_days=days)
