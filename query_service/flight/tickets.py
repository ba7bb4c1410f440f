"""Tickets and handles: signed texts that hold their question, so that every replica can answer them."""

import hmac
import time
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from query_service.flight.refusals import NoTicket
from query_service.reader import Reader

_MARK = b"em1:"
_MAC_BYTES = 32

Kind = Literal["ticket", "prepared"]


class Ticket(msgspec.Struct, frozen=True, array_like=True):
    """A question, who asked it for which apps, and until when (Unix seconds) it holds.

    `values` are those of its parameters; None while they have not come.
    """

    kind: Kind
    sql: str
    subject: str
    app_ids: tuple[str, ...]
    expires_at: float
    values: list[Any] | None = None


class TicketOffice:
    """Signs tickets with a key (32 bytes) that replicas share, and takes back only its own."""

    def __init__(self, key: bytes, clock: Callable[[], float] = time.time) -> None:
        self._key, self._clock = key, clock

    def issue(self, kind: Kind, sql: str, reader: Reader, seconds: float, values: list[Any] | None = None) -> bytes:
        """A ticket for this reader alone, good for so many seconds."""
        ticket = Ticket(kind, sql, reader.subject, reader.app_ids, self._clock() + seconds, values)
        payload = msgspec.json.encode(ticket)
        return _MARK + self._mac(payload) + payload

    def take(self, kind: Kind, text: bytes, reader: Reader) -> Ticket:
        """What `issue` put in. Raises NoTicket unless it is ours, of this kind, this reader's, and not expired."""
        mac, payload = text[len(_MARK) : len(_MARK) + _MAC_BYTES], text[len(_MARK) + _MAC_BYTES :]
        if not text.startswith(_MARK) or not hmac.compare_digest(mac, self._mac(payload)):
            raise NoTicket
        ticket = msgspec.json.decode(payload, type=Ticket)
        is_theirs = ticket.subject == reader.subject and ticket.app_ids == reader.app_ids
        if ticket.kind != kind or not is_theirs or ticket.expires_at <= self._clock():
            raise NoTicket
        return ticket

    def _mac(self, payload: bytes) -> bytes:
        return hmac.digest(self._key, payload, "sha256")
