"""Gives what a message asks to be done: its reader by message type and event, and the use case that takes it.

It must not do it, nor know any field of a message.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from allocation.home_finals import take_home_report
from hl7_listener.dialect import Dialect
from hl7_listener.fault import Condition, MessageFault
from hl7_listener.header import Header
from hl7_listener.orders import read_orders
from hl7_listener.patients import read_merges, read_unlink, read_update
from hl7_listener.results import read_home_reports
from worklist.home.reading import receive_home_reading
from worklist.intake.orders import Order, Outcome, receive_order
from worklist.patients.merges import CyclicMerge, Merge, receive_merges, receive_unlink
from worklist.patients.updates import receive_update


@dataclass(frozen=True, slots=True)
class Act:
    """What is to be done, in a transaction of its own; an `order` may be taken in together with those of others."""

    do: Callable[[Connection], Outcome]
    order: Order | None = None


def acts_of(octets: bytes, header: Header, trust: str, dialect: Dialect, received_at: datetime) -> list[Act]:
    """Give what a message of a trust's RIS asks to be done, in this order; `received_at` is aware.

    Raises
    ------
    MessageFault
        When it is of a kind that is not taken here, or something in it is missing or not understood.
    """
    read = _READERS.get((header.message_type, header.event))
    if read is None:
        raise _unsupported(header)
    return read(octets, header, trust, dialect, received_at)


def _orders(octets: bytes, header: Header, trust: str, dialect: Dialect, received_at: datetime) -> list[Act]:
    orders = read_orders(octets, header, trust, dialect, received_at)
    return [
        Act(partial(receive_order, order=one), one)
        if isinstance(one, Order)
        else Act(partial(receive_home_reading, stated=one))
        for one in orders
    ]


def _home_reports(octets: bytes, header: Header, trust: str, dialect: Dialect, received_at: datetime) -> list[Act]:
    reports = read_home_reports(octets, header, trust, dialect, received_at)
    return [Act(partial(take_home_report, report=one)) for one in reports]


def _update(octets: bytes, header: Header, trust: str, dialect: Dialect, received_at: datetime) -> list[Act]:
    return [Act(partial(receive_update, sent=read_update(octets, header, trust, dialect, received_at)))]


def _merges(octets: bytes, header: Header, trust: str, dialect: Dialect, received_at: datetime) -> list[Act]:
    merges, updates = read_merges(octets, header, trust, dialect, received_at)
    acts = [Act(partial(_take_merges, merges=merges))] if merges else []
    return [*acts, *(Act(partial(receive_update, sent=one)) for one in updates)]


def _take_merges(connection: Connection, merges: list[Merge]) -> Outcome:
    try:
        return receive_merges(connection, merges)
    except CyclicMerge as error:
        raise MessageFault("MRG-1", Condition.DUPLICATE_KEY_IDENTIFIER, str(error)) from None


def _unlink(octets: bytes, header: Header, trust: str, dialect: Dialect, received_at: datetime) -> list[Act]:
    return [Act(partial(receive_unlink, unlink=read_unlink(octets, header, trust, dialect, received_at)))]


def _unsupported(header: Header) -> MessageFault:
    known = {message_type for message_type, _ in _READERS}
    condition = Condition.UNSUPPORTED_EVENT_CODE if header.message_type in known else Condition.UNSUPPORTED_MESSAGE_TYPE
    supported = ", ".join("^".join(one) for one in _READERS)
    return MessageFault("MSH-9", condition, f"messages taken here are {supported}")


_READERS: dict[tuple[str, str], Callable[[bytes, Header, str, Dialect, datetime], list[Act]]] = {
    ("ORM", "O01"): _orders,
    ("OMI", "O23"): _orders,
    ("ORU", "R01"): _home_reports,
    ("ADT", "A08"): _update,
    ("ADT", "A31"): _update,
    ("ADT", "A40"): _merges,
    ("ADT", "A47"): _merges,
    ("ADT", "A37"): _unlink,
}
