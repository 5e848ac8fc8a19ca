"""An object whose modality cannot be read does not vanish: what it is follows from its SOP class, or people see it."""

from __future__ import annotations

import pytest

from tests.attacks.attacked import PACS, Attacked
from tests.attacks.objects import CONTEXT_OF, Element, ct_object
from tests.attacks.wire import EXPLICIT


@pytest.mark.parametrize("value", [b"", b"X" * 300, b"A\x07", b"\xff\xfe", b"CT\r\n"], ids=repr)
def test_an_object_whose_modality_cannot_be_read_is_work_or_stands_in_the_exceptions(
    radpool: Attacked, value: bytes
) -> None:
    before = radpool.occurrences() + len(radpool.items())
    with radpool.peer() as peer:
        peer.associate(PACS)
        sent = ct_object().but(Element(0x00080060, "CS", value))
        assert peer.store(CONTEXT_OF[EXPLICIT], sent.sop_instance, sent.encoded()) == 0
    assert radpool.occurrences() + len(radpool.items()) > before
