"""What goes over `ws /ws/live`: the client's one message, the server's three, and why a connection ends.

Server messages are JSON texts: `{"type": "snapshot", "data": …, "meta": …}`, `{"type": "ping", "meta": …}` and
`{"type": "stale", "detail": …}`.
"""

from typing import Any

import msgspec

from query_service.query.answer import Answer

MAX_SUBSCRIBE_CHARACTERS = 4_096

BAD_MESSAGE = 4400
UNAUTHORIZED = 4401
FORBIDDEN = 4403
TOO_SLOW = 4408
GOING_AWAY = 1001
FAILED = 1011
TRY_AGAIN_LATER = 1013


class Refusal(Exception):  # noqa: N818 - it reads as what it is
    """A connection that ends: a WebSocket close code, and a reason of at most 123 bytes for people."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class Subscribe(msgspec.Struct, tag_field="type", tag="subscribe"):
    """The client's first and only message. `app_id` may be left out where the key covers one app."""

    key: str
    app_id: str | None = None


_SUBSCRIBE = msgspec.json.Decoder(Subscribe)


def decode_subscribe(text: str | bytes) -> Subscribe:
    """Raises Refusal 4400 for anything that is no subscription."""
    if len(text) > MAX_SUBSCRIBE_CHARACTERS:
        raise Refusal(BAD_MESSAGE, f"The first message has more than {MAX_SUBSCRIBE_CHARACTERS} characters.")
    try:
        return _SUBSCRIBE.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Refusal(BAD_MESSAGE, 'The first message is {"type": "subscribe", "key": …, "app_id": …}.') from None


def encode_snapshot(answer: Answer) -> str:
    """The numbers as they are now."""
    return _encode({"type": "snapshot", "data": answer.data, "meta": answer.meta})


def encode_ping(answer: Answer | None) -> str:
    """Nothing has changed; `meta` says up to when that is known."""
    return _encode({"type": "ping", "meta": answer and answer.meta})


def encode_stale(detail: str) -> str:
    """The numbers cannot be read: what was sent last may be out of date."""
    return _encode({"type": "stale", "detail": detail})


def _encode(message: dict[str, Any]) -> str:
    return msgspec.json.encode(message).decode()
