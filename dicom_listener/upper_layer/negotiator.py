"""Negotiates for all associations of a process, and remembers what admitted peers asked for.

A PACS asks for the same each time, to the byte, and for 128 presentation contexts it costs 20 ms of a processor to
find out what is agreed. It must not remember who was admitted: that is judged each time.
"""

from __future__ import annotations

import threading

from dicom_listener.upper_layer.negotiation import Agreement, Request, decode_request, negotiate

#: A sender of all storage classes asks in 10 KB and what is kept of it is 120 KB.
_MOST_REQUESTS = 32
_LONGEST_REQUEST_BYTES = 16 * 1024


class Negotiator:
    """Decodes requests and agrees to them, as `negotiation` does; used from many threads."""

    def __init__(self, max_pdu_bytes: int) -> None:
        self._max_pdu_bytes = max_pdu_bytes
        self._lock = threading.Lock()
        self._agreed: dict[bytes, tuple[Request, Agreement]] = {}

    def decode(self, body: bytes) -> Request:
        """Decode the variable field of an A-ASSOCIATE-RQ PDU; raises as `decode_request`."""
        known = self._agreed.get(body)
        return known[0] if known else decode_request(body)

    def agree(self, body: bytes, request: Request) -> Agreement:
        """Agree to the request of a peer that is admitted; raises as `negotiate`."""
        known = self._agreed.get(body)
        if known:
            return known[1]
        agreement = negotiate(request, self._max_pdu_bytes)
        if len(body) <= _LONGEST_REQUEST_BYTES:
            with self._lock:
                while len(self._agreed) >= _MOST_REQUESTS:
                    del self._agreed[next(iter(self._agreed))]
                self._agreed[body] = request, agreement
        return agreement
