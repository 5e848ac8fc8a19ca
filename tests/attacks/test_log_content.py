"""What a peer writes does not come into the log (nothing that identifies a patient may stand there)."""

from __future__ import annotations

from tests.attacks.attacked import PACS, Attacked
from tests.attacks.wire import IMPLICIT


def test_what_a_peer_writes_into_a_proposed_uid_does_not_stand_in_the_log(radpool: Attacked) -> None:
    with radpool.peer() as peer:
        peer.associate(PACS, [(1, "1.2.840.10008.1.1", (IMPLICIT,)), (3, "1.2.Zyxwvut^Anna", (IMPLICIT,))])
    assert "Zyxwvut" not in radpool.server.log()


def test_what_a_peer_writes_into_a_transfer_syntax_does_not_stand_in_the_log(radpool: Attacked) -> None:
    with radpool.peer() as peer:
        peer.associate(PACS, [(1, "1.2.840.10008.1.1", (IMPLICIT,)), (3, "1.2.840.10008.5.1.4.1.1.2", ("1.Wvutsrq",))])
    assert "Wvutsrq" not in radpool.server.log()
