"""Puts DIMSE messages together from the fragments of P-DATA-TF PDUs (PS3.8, 9.3.5 and Annex E).

A command set is kept whole up to a bound; of a data set only the beginning, the rest goes by. It
must not act on a message.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from struct import Struct

from dicom_listener.header.reader import HeaderReader
from dicom_listener.limits import Limits
from dicom_listener.upper_layer.command_set import C_STORE_RQ, Command, UnreadableCommand, decode_command
from dicom_listener.upper_layer.negotiation import AcceptedContext
from dicom_listener.upper_layer.stream import Stream

_PDV_HEADER = Struct(">LBB")
_COMMAND, _LAST = 0x01, 0x02


class ProtocolFault(Exception):
    """A peer's breach of the protocol; `reason` is the A-ABORT reason of PS3.8, Table 9-26."""

    UNRECOGNIZED_PDU = 1
    UNEXPECTED_PDU = 2
    INVALID_PARAMETER = 6

    def __init__(self, what: str, reason: int) -> None:
        super().__init__(what)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Message:
    """One DIMSE request: its command, and the beginning of its data set if it has one.

    Of an object to be stored the header is kept, of any other data set as much as `Limits.header_bound_bytes` allow.
    `data_set_bytes` counts the whole data set as it went by; `reader` reads the headers of the association.
    """

    context: AcceptedContext
    command: Command
    data_set: bytes | None
    data_set_bytes: int = 0
    reader: HeaderReader | None = None

    @property
    def is_whole(self) -> bool:
        """Whether all of the data set was kept."""
        return len(self.data_set or b"") == self.data_set_bytes


class MessageAssembler:
    """Reads the P-DATA-TF PDUs of one association."""

    def __init__(
        self, stream: Stream, limits: Limits, contexts: Mapping[int, AcceptedContext], reader: HeaderReader
    ) -> None:
        self._stream = stream
        self._limits = limits
        self._contexts = contexts
        self._reader = reader
        self._context: AcceptedContext | None = None
        self._command_set = bytearray()
        self._command: Command | None = None
        self._parts: list[bytes] = []
        self._kept_bytes = self._keep_bytes = self._data_set_bytes = 0

    @property
    def has_message_in_hand(self) -> bool:
        """Whether a message was begun and is not complete."""
        return self._context is not None

    def read(self, length: int) -> Iterator[Message]:
        """Read one PDU's variable field of `length` bytes, giving each message that it completes.

        Raises
        ------
        ProtocolFault
            When fragments do not fit the PDU, the agreed contexts or each other.
        """
        while length > 0:
            if length < _PDV_HEADER.size:
                raise ProtocolFault("presentation data value cut short", ProtocolFault.INVALID_PARAMETER)
            item_length, context_id, control = self._stream.unpack(_PDV_HEADER)
            if not 2 <= item_length <= length - 4:
                raise ProtocolFault("presentation data value length", ProtocolFault.INVALID_PARAMETER)
            length -= 4 + item_length
            self._check_context(context_id)
            message = self._take_fragment(item_length - 2, control)
            if message is not None:
                yield message
                if length:
                    self._stream.renew_deadline()

    def _check_context(self, context_id: int) -> None:
        if self._context is None:
            self._context = self._contexts.get(context_id)
            if self._context is None:
                raise ProtocolFault("presentation context not agreed", ProtocolFault.INVALID_PARAMETER)
        elif self._context.context_id != context_id:
            raise ProtocolFault("presentation context changed in a message", ProtocolFault.INVALID_PARAMETER)

    def _take_fragment(self, length: int, control: int) -> Message | None:
        if bool(control & _COMMAND) == (self._command is not None):
            raise ProtocolFault("command and data set fragments out of order", ProtocolFault.INVALID_PARAMETER)
        if control & _COMMAND:
            self._keep_command(length)
            if control & _LAST:
                self._command = self._decoded_command()
        else:
            self._keep_data_set(length)
        if self._command is None or not control & _LAST:
            return None
        if control & _COMMAND and self._command.has_data_set:
            return None
        return self._complete()

    def _keep_command(self, length: int) -> None:
        if len(self._command_set) + length > self._limits.max_command_set_bytes:
            raise ProtocolFault("command set too long", ProtocolFault.INVALID_PARAMETER)
        while length:
            chunk = self._stream.take(length)
            self._command_set += chunk
            length -= len(chunk)

    def _decoded_command(self) -> Command:
        try:
            command = decode_command(self._command_set)
        except UnreadableCommand:
            raise ProtocolFault("command set cannot be read", ProtocolFault.INVALID_PARAMETER) from None
        limits = self._limits
        self._keep_bytes = limits.header_keep_bytes if command.field == C_STORE_RQ else limits.header_bound_bytes
        return command

    def _keep_data_set(self, length: int) -> None:
        self._data_set_bytes += length
        while length and self._keep_bytes:
            part = self._stream.read(min(length, self._keep_bytes - self._kept_bytes))
            self._parts.append(part)
            self._kept_bytes += len(part)
            length -= len(part)
            if self._kept_bytes == self._keep_bytes:
                self._keep_more()
        if length:
            self._stream.skip(length)

    def _keep_more(self) -> None:
        """Double what is kept, or stop keeping when no more can help."""
        assert self._context is not None
        bound = self._limits.header_bound_bytes
        if self._keep_bytes >= bound or self._reader.passed(self._kept(), self._context.transfer_syntax_uid):
            self._keep_bytes = 0
        else:
            self._keep_bytes = min(2 * self._keep_bytes, bound)

    def _kept(self) -> bytes:
        if len(self._parts) != 1:
            self._parts = [b"".join(self._parts)]
        return self._parts[0]

    def _complete(self) -> Message:
        assert self._context is not None
        assert self._command is not None
        data_set = self._kept() if self._command.has_data_set else None
        message = Message(self._context, self._command, data_set, self._data_set_bytes, self._reader)
        self._context = self._command = None
        self._command_set = bytearray()
        self._parts = []
        self._kept_bytes = self._keep_bytes = self._data_set_bytes = 0
        return message
