"""Runs one association as its acceptor, driven by the state table of the upper layer (PS3.8, 9.2).

It must not read settings, count associations or open sockets, and lets no exception past `run`.
"""

from __future__ import annotations

import logging
import socket
from collections import deque
from collections.abc import Callable, Mapping
from struct import pack
from time import monotonic
from typing import ClassVar

from pynetdicom.pdu import A_ABORT_RQ, A_ASSOCIATE_RJ, A_RELEASE_RP

from dicom_listener.admission import Admit, Rejection, RejectionReason, Source
from dicom_listener.conformance import Status
from dicom_listener.header.reader import HeaderReader
from dicom_listener.limits import Limits
from dicom_listener.upper_layer.command_set import (
    C_CANCEL_RQ,
    N_EVENT_REPORT_RQ,
    RESPONSE,
    Command,
    Report,
    Response,
    encode_report,
    encode_response,
)
from dicom_listener.upper_layer.message import Message, MessageAssembler, ProtocolFault
from dicom_listener.upper_layer.negotiation import (
    APPLICATION_CONTEXT_NAME,
    AcceptedContext,
    Agreement,
    InvalidRequest,
    Request,
)
from dicom_listener.upper_layer.negotiator import Negotiator
from dicom_listener.upper_layer.state_table import PDU_EVENTS, TRANSITIONS, Action, Event, State
from dicom_listener.upper_layer.stream import DeadlinePassed, Drain, ListenerStopping, Stream, TransportClosed
from worklist.feeds.peer import Peer

#: Answers one request of an admitted source; keyed by command field (PS3.7, E.1).
Service = Callable[[Message, Source], Response]

_FIXED_ASSOCIATE_RQ_BYTES = 68
#: The content type with which a TLS connection begins (RFC 8446, 5.1); no PDU has it.
_TLS_HANDSHAKE = 0x16
#: A peer that leaves more reports than this unanswered while it asks for others is given up.
_MOST_WAITING_REPORTS = 4


class Association:
    """One transport connection from its first byte to its close.

    `on_established` is called when the association is about to be accepted. Nothing is read of a PDU
    whose length is over the limit, and every wait has a deadline, so `run` always comes to an end.
    """

    def __init__(
        self,
        connection: socket.socket,
        peer: Peer,
        *,
        limits: Limits,
        negotiator: Negotiator,
        admit: Admit,
        services: Mapping[int, Service],
        drain: Drain,
        log: logging.Logger,
        on_established: Callable[[], None] = lambda: None,
    ) -> None:
        self._peer = peer
        self._limits = limits
        self._negotiator = negotiator
        self._admit = admit
        self._services = services
        self._log = log
        self._on_established = on_established
        self._stream = Stream(connection, limits, drain)
        self._state = State.STA2
        self._artim_at = monotonic() + limits.association_seconds
        self._pdu_length = 0
        self._fault: ProtocolFault | None = None
        self._ending = "closed by peer"
        self._begun_with_tls = False
        self._request_body = b""
        self._request: Request | None = None
        self._source: Source | None = None
        self._rejection = Rejection(RejectionReason.NO_REASON_GIVEN)
        self._agreement: Agreement | None = None
        self._assembler: MessageAssembler | None = None
        self._message_by: float | None = None
        self._messages = self._data_set_bytes = 0
        self._reports: deque[tuple[AcceptedContext, Report]] = deque()
        self._reports_sent = 0
        self._awaits_answer = False

    @property
    def begun_with_tls(self) -> bool:
        """Whether the peer began with a TLS handshake where an A-ASSOCIATE-RQ belongs."""
        return self._begun_with_tls

    def run(self) -> None:
        """Serve the association until its transport connection is closed."""
        event: Event | None = None
        try:
            while self._state is not State.STA1:
                try:
                    event = event or self._next_event()
                    action, self._state = TRANSITIONS[self._state, event]
                    event = None
                    self._perform(action)
                except Exception as error:
                    event = self._event_of(error)
        finally:
            self._stream.close()
            self._log.info(
                "association over: peer=%s ae_title=%s messages=%d data_set_bytes=%d end=%s",
                self._peer.address,
                self._source.ae_title if self._source else "-",
                self._messages,
                self._data_set_bytes,
                self._ending,
            )
            if self._awaits_answer:
                self._log.warning("event report not answered: peer=%s", self._peer.address)

    def _next_event(self) -> Event:
        if self._state is State.STA2:
            return self._await_associate()
        if self._state is State.STA3:
            return self._judge()
        if self._state is State.STA6:
            return self._await_pdu()
        if self._state is State.STA8:
            return Event.EVT14
        return Event.EVT17 if self._stream.await_close() else Event.EVT18

    def _await_associate(self) -> Event:
        event = self._begin_pdu(begin_by=self._artim_at, complete_by=self._artim_at, between_messages=True)
        if event is Event.EVT6 and not (
            _FIXED_ASSOCIATE_RQ_BYTES < self._pdu_length <= self._limits.max_associate_rq_bytes
        ):
            raise ProtocolFault("A-ASSOCIATE-RQ length", ProtocolFault.INVALID_PARAMETER)
        return event

    def _judge(self) -> Event:
        """Accept or reject, as the local user of the association service (PS3.8, 7.1.1)."""
        assert self._request is not None
        verdict = self._verdict(self._request)
        if isinstance(verdict, Rejection):
            self._rejection = verdict
            return Event.EVT8
        self._source = verdict
        self._agreement = self._negotiator.agree(self._request_body, self._request)
        return Event.EVT7

    def _verdict(self, request: Request) -> Source | Rejection:
        if not request.protocol_version & 1:
            return Rejection(RejectionReason.PROTOCOL_VERSION_NOT_SUPPORTED)
        if request.application_context_name != APPLICATION_CONTEXT_NAME:
            return Rejection(RejectionReason.APPLICATION_CONTEXT_NAME_NOT_SUPPORTED)
        try:
            return self._admit(request.calling_ae_title, request.called_ae_title, self._peer)
        except Exception as error:
            self._log.error("admission failed: peer=%s error=%s", self._peer.address, type(error).__name__)
            return Rejection(RejectionReason.TEMPORARY_CONGESTION)

    def _await_pdu(self) -> Event:
        assert self._assembler is not None
        begin_by = monotonic() + self._limits.idle_seconds
        if self._message_by is not None:
            begin_by = min(begin_by, self._message_by)
        event = self._begin_pdu(begin_by=begin_by, between_messages=not self._assembler.has_message_in_hand)
        limit = self._limits.max_pdu_bytes if event is Event.EVT10 else 4
        if self._pdu_length > limit:
            raise ProtocolFault("PDU longer than allowed", ProtocolFault.INVALID_PARAMETER)
        if event is Event.EVT12:
            self._stream.skip(self._pdu_length)
        return event

    def _begin_pdu(self, *, begin_by: float, complete_by: float | None = None, between_messages: bool = False) -> Event:
        pdu_type, self._pdu_length = self._stream.begin_pdu(
            begin_by=begin_by, complete_by=complete_by, between_messages=between_messages
        )
        event = PDU_EVENTS.get(pdu_type)
        if event is None:
            self._begun_with_tls = self._state is State.STA2 and pdu_type == _TLS_HANDSHAKE
            raise ProtocolFault("PDU type unknown", ProtocolFault.UNRECOGNIZED_PDU)
        return event

    def _event_of(self, error: Exception) -> Event:
        if isinstance(error, TransportClosed) or self._state is State.STA13:
            return Event.EVT17
        if isinstance(error, InvalidRequest):
            error = ProtocolFault("A-ASSOCIATE-RQ cannot be read", ProtocolFault.INVALID_PARAMETER)
        if isinstance(error, ProtocolFault):
            self._fault = error
            return Event.EVT19
        if isinstance(error, DeadlinePassed):
            self._ending = "deadline passed"
        elif isinstance(error, ListenerStopping):
            self._ending = "listener stopping"
        else:
            self._ending = f"internal error {type(error).__name__}"
            self._log.error("association failed: peer=%s error=%s", self._peer.address, type(error).__name__)
        return Event.EVT18 if self._state is State.STA2 else Event.EVT15

    def _perform(self, action: Action) -> None:
        """Perform an action of PS3.8, Tables 9-6 to 9-9.

        Those that only stop the ARTIM timer, close the connection or ignore a PDU need nothing
        here: `run` closes the connection, and after our last word nothing is read as a PDU.
        """
        perform = self._ACTIONS.get(action)
        if perform is not None:
            perform(self)

    def _ae_6(self) -> None:
        self._request_body = self._stream.read(self._pdu_length)
        self._request = self._negotiator.decode(self._request_body)

    def _ae_7(self) -> None:
        assert self._agreement is not None
        assert self._source is not None
        self._on_established()
        self._stream.send(self._agreement.accept_pdu)
        self._assembler = MessageAssembler(
            self._stream, self._limits, self._agreement.contexts, HeaderReader(self._source.ae_title)
        )

    def _ae_8(self) -> None:
        reason = self._rejection.reason
        self._ending = f"rejected, {reason.name.lower()}"
        pdu = A_ASSOCIATE_RJ()
        pdu.result, pdu.source, pdu.reason_diagnostic = reason.value
        self._stream.send(pdu.encode(), last_word=True)

    def _dt_2(self) -> None:
        assert self._assembler is not None
        for message in self._assembler.read(self._pdu_length):
            self._message_by = None
            self._answer(message)
        if not self._assembler.has_message_in_hand:
            self._message_by = None
        elif self._message_by is None:
            self._message_by = monotonic() + self._limits.message_seconds

    def _ar_2(self) -> None:
        assert self._assembler is not None
        if self._assembler.has_message_in_hand:
            self._ending = "released inside a message"
        else:
            self._ending = "released"

    def _ar_4(self) -> None:
        self._stream.send(A_RELEASE_RP().encode(), last_word=True)

    def _aa_1(self) -> None:
        if self._ending == "closed by peer":
            self._ending = f"aborted, {self._fault or 'unexpected PDU'}"
        self._abort(source=0, reason=0)

    def _aa_3(self) -> None:
        self._ending = "aborted by peer"

    def _aa_8(self) -> None:
        fault = self._fault or ProtocolFault("unexpected PDU", ProtocolFault.UNEXPECTED_PDU)
        self._ending = f"aborted, {fault}"
        self._abort(source=2, reason=fault.reason)

    def _abort(self, *, source: int, reason: int) -> None:
        pdu = A_ABORT_RQ()
        pdu.source, pdu.reason_diagnostic = source, reason
        self._stream.send(pdu.encode(), last_word=True)

    def _answer(self, message: Message) -> None:
        """Let the service answer, and send its response in the message's context (PS3.7, 8.2)."""
        assert self._source is not None
        command = message.command
        self._messages += 1
        self._data_set_bytes += message.data_set_bytes
        if command.field == C_CANCEL_RQ:
            return  # PS3.7, 9.3.2.3: a C-CANCEL has no response, and nothing here can be cancelled
        if command.field & RESPONSE:
            self._take_answer(command)
            return
        if command.message_id is None:
            raise ProtocolFault("request without a message id", ProtocolFault.INVALID_PARAMETER)
        service = self._services.get(command.field)
        if service is None:
            response = Response(Status.UNRECOGNIZED_OPERATION, "operation not supported")
        else:
            response = service(message, self._source)
        self._stream.send(self._p_data(message.context.context_id, encode_response(command, response)))
        if response.then is not None:
            if len(self._reports) == _MOST_WAITING_REPORTS:
                raise ProtocolFault("event reports left unanswered", ProtocolFault.INVALID_PARAMETER)
            self._reports.append((message.context, response.then))
            self._send_report()

    def _send_report(self) -> None:
        """Send the next report unless one is not answered yet: nobody agreed to more at once (PS3.7, D.3.3.3)."""
        if self._awaits_answer or not self._reports:
            return
        context, report = self._reports.popleft()
        self._reports_sent += 1
        self._awaits_answer = True
        command_set = encode_report(report, self._report_message_id)
        self._stream.send(self._p_data(context.context_id, command_set))
        self._stream.send(self._p_data(context.context_id, report.information, data_set=True))

    @property
    def _report_message_id(self) -> int:
        return self._reports_sent % 0x10000

    def _take_answer(self, answer: Command) -> None:
        """Take the response to our report; any other response answers nothing that we asked."""
        if (
            answer.field != N_EVENT_REPORT_RQ | RESPONSE
            or not self._awaits_answer
            or answer.message_id_being_responded_to != self._report_message_id
        ):
            raise ProtocolFault("response that nobody asked for", ProtocolFault.INVALID_PARAMETER)
        if answer.status:
            self._log.warning("event report refused: peer=%s status=%04X", self._peer.address, answer.status)
        self._awaits_answer = False
        self._send_report()

    def _p_data(self, context_id: int, octets: bytes, *, data_set: bool = False) -> bytes:
        """Wrap a command or data set in as many P-DATA-TF PDUs as the peer's maximum length asks for."""
        assert self._agreement is not None
        size = (self._agreement.peer_max_pdu_bytes or len(octets) + 6) - 6
        kind = 0x00 if data_set else 0x01
        pdus = []
        for start in range(0, len(octets), size):
            part = octets[start : start + size]
            control = kind | (0x02 if start + size >= len(octets) else 0x00)
            pdus.append(pack(">BxLLBB", 0x04, len(part) + 6, len(part) + 2, context_id, control) + part)
        return b"".join(pdus)

    _ACTIONS: ClassVar[Mapping[Action, Callable[[Association], None]]] = {
        Action.AE_6: _ae_6,
        Action.AE_7: _ae_7,
        Action.AE_8: _ae_8,
        Action.DT_2: _dt_2,
        Action.AR_2: _ar_2,
        Action.AR_4: _ar_4,
        Action.AA_1: _aa_1,
        Action.AA_3: _aa_3,
        Action.AA_8: _aa_8,
    }
