"""Places are counted exactly, and a handshake gives way before anybody is turned away."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from dicom_listener.limits import Limits
from dicom_listener.processes.places import Places

LIMITS = Limits(max_associations=6, max_associations_per_address=3, max_handshakes=4)
ADDRESSES = st.sampled_from(["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"])


def test_the_oldest_handshake_of_the_address_with_most_gives_way() -> None:
    places = Places(LIMITS)
    for number, address in enumerate(["a", "b", "a", "c"]):
        assert places.take(number, address) == (True, None)
    assert places.take(4, "d") == (True, 0)
    assert places.taken() == {"a": 1, "b": 1, "c": 1, "d": 1}


def test_an_association_gives_way_to_nobody() -> None:
    places = Places(LIMITS)
    for number in range(3):
        places.take(number, "a")
        places.establish(number, "a")
    assert places.take(3, "a") == (False, None)
    assert places.take(4, "b") == (True, None)


def test_a_handshake_that_became_an_association_while_it_was_asked_to_give_way_keeps_its_place() -> None:
    places = Places(LIMITS)
    for number in range(4):
        places.take(number, "a" if number < 3 else "b")
    assert places.take(4, "c") == (True, 0)
    places.establish(0, "a")
    assert places.taken() == {"a": 3, "b": 1, "c": 1}
    places.give_back(0)
    assert places.taken() == {"a": 2, "b": 1, "c": 1}


class PlacesMachine(RuleBasedStateMachine):
    """Connections come, become associations, go, in any order."""

    numbers = Bundle("numbers")

    def __init__(self) -> None:
        super().__init__()
        self.places = Places(LIMITS)
        self.open: dict[int, tuple[str, bool]] = {}
        self.last = 0

    @rule(target=numbers, address=ADDRESSES)
    def connect(self, address: str) -> int:
        self.last += 1
        handshakes = [number for number, (_, established) in self.open.items() if not established]
        taken, giving_way = self.places.take(self.last, address)
        if giving_way is not None:
            assert giving_way in handshakes
            del self.open[giving_way]
        if taken:
            self.open[self.last] = address, False
        else:
            assert not any(self.open[number][0] == address for number in handshakes)
        return self.last

    @rule(number=numbers)
    def establish(self, number: int) -> None:
        if number in self.open:
            self.places.establish(number, self.open[number][0])
            self.open[number] = self.open[number][0], True

    @rule(number=consumes(numbers))
    def end(self, number: int) -> None:
        self.open.pop(number, None)
        self.places.give_back(number)
        self.places.give_back(number)

    @invariant()
    def counts_are_exact(self) -> None:
        addresses = [address for address, _ in self.open.values()]
        assert self.places.taken() == {address: addresses.count(address) for address in addresses}
        assert len(addresses) <= LIMITS.max_associations
        assert all(addresses.count(address) <= LIMITS.max_associations_per_address for address in addresses)
        assert sum(not established for _, established in self.open.values()) <= LIMITS.max_handshakes


TestPlaces = PlacesMachine.TestCase
