"""Counts the places that connections hold, in all and by address, and says who gives way when one is needed.

Pure: no socket, no clock, no lock. A connection is known by a number that the caller gives.
"""

from __future__ import annotations

from collections import Counter

from dicom_listener.limits import Limits


class Places:
    """The places of one listener; a place is taken and given back exactly once."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._handshakes: dict[int, str] = {}
        self._associations: dict[int, str] = {}
        self._by_address: Counter[str] = Counter()

    def take(self, number: int, address: str) -> tuple[bool, int | None]:
        """Take a place: whether there was one, and the number of a connection that has to give way for it."""
        limits = self._limits
        giving_way = None
        if self._by_address[address] >= limits.max_associations_per_address:
            giving_way = self._oldest_handshake(address)
            if giving_way is None:
                return False, None
        elif (
            len(self._handshakes) >= limits.max_handshakes
            or len(self._handshakes) + len(self._associations) >= limits.max_associations
        ):
            giving_way = self._oldest_handshake(self._most_handshakes())
            if giving_way is None:
                return False, None
        if giving_way is not None:
            self.give_back(giving_way)
        self._handshakes[number] = address
        self._by_address[address] += 1
        return True, giving_way

    def establish(self, number: int, address: str) -> None:
        """A connection has become an association, which gives way to nobody; not even if it was just asked to."""
        if self._handshakes.pop(number, None) is None and number not in self._associations:
            self._by_address[address] += 1
        self._associations[number] = address

    def give_back(self, number: int) -> None:
        """Give a place back; one that gave way before has none."""
        address = self._handshakes.pop(number, None) or self._associations.pop(number, None)
        if address is not None:
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]

    def taken(self) -> dict[str, int]:
        """Give the number of connections by address."""
        return dict(self._by_address)

    def _most_handshakes(self) -> str | None:
        counted = Counter(self._handshakes.values()).most_common(1)
        return counted[0][0] if counted else None

    def _oldest_handshake(self, address: str | None) -> int | None:
        return next((number for number, of in self._handshakes.items() if of == address), None)
