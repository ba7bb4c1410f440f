"""What goes over `ws /ws/live`: a client's messages, checked; the server's, as text; and why a connection ends."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from query_service.query.errors import InvalidParameter

MAX_CHARACTERS = 16_384
MAX_ID = 100
LEAST_SECONDS, MOST_SECONDS, DEFAULT_SECONDS = 0.25, 60.0, 1.0

BAD_MESSAGE = 4400
UNAUTHORIZED = 4401
FORBIDDEN = 4403
TOO_SLOW = 4408
TOO_MANY = 4429
GOING_AWAY = 1001
TRY_AGAIN_LATER = 1013

FIRST_MESSAGE = 'The first message is {"type": "auth", "key": …}.'
_INTERVAL_RULE = f"Seconds from {LEAST_SECONDS} to {MOST_SECONDS:.0f}."
_ENCODER = msgspec.json.Encoder(enc_hook=str)

Id = Annotated[str, Meta(min_length=1, max_length=MAX_ID)]


class Refusal(Exception):  # noqa: N818 - it reads as what it is
    """A connection that ends: a WebSocket close code, and a reason of at most 123 bytes for people."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class Auth(msgspec.Struct, tag_field="type", tag="auth"):
    """Who asks. Without a key it is whoever signed in with this browser."""

    key: str | None = None


class Subscribe(msgspec.Struct, tag_field="type", tag="subscribe"):
    """A question by POST /api/v2/query's form, or the live summary.

    As a first message, with a `key` and without an id, it asks for today's totals alone: the form of older clients.
    """

    id: Id | None = None
    query: dict[str, Any] | None = None
    live: bool = False
    app_id: str | None = None
    window: str | None = None
    interval: float = DEFAULT_SECONDS
    key: str | None = None


class Unsubscribe(msgspec.Struct, tag_field="type", tag="unsubscribe"):
    """The end of a subscription."""

    id: Id


Message = Auth | Subscribe | Unsubscribe
_MESSAGE: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)


def decode_first(text: str | bytes) -> Auth | Subscribe:
    """Who asks, or the one subscription of an older client. Raises Refusal 4400 for anything else."""
    try:
        message = decode(text)
    except InvalidParameter:
        raise Refusal(BAD_MESSAGE, FIRST_MESSAGE) from None
    if isinstance(message, Auth):
        return message
    if isinstance(message, Subscribe) and message.key is not None and message.id is None and not message.query:
        return message
    raise Refusal(BAD_MESSAGE, FIRST_MESSAGE)


def decode(text: str | bytes) -> Message:
    """Raises InvalidParameter for what is no message, Refusal for one that is too long."""
    if len(text) > MAX_CHARACTERS:
        raise Refusal(BAD_MESSAGE, f"A message has at most {MAX_CHARACTERS:,} characters.")
    try:
        return _MESSAGE.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidParameter(
            "type", f"The message is not one: {error}.", "docs/live.md lists the messages."
        ) from None


def checked_interval(seconds: float) -> float:
    """The interval itself. Raises InvalidParameter where it is out of bounds."""
    if not LEAST_SECONDS <= seconds <= MOST_SECONDS:
        raise InvalidParameter("interval", f"interval={seconds} is out of bounds.", _INTERVAL_RULE)
    return seconds


def encode(value: Any) -> bytes:
    """A part of a message as JSON."""
    return _ENCODER.encode(value)


def ready(app_ids: tuple[str, ...]) -> str:
    """The client is known; it may subscribe."""
    return _text({"type": "ready", "apps": app_ids})


def snapshot(subscription_id: str | None, body: bytes) -> str:
    """The answer as it is now; `body` is `{"data": …, "meta": …}`."""
    name = b"" if subscription_id is None else b'"id":' + encode(subscription_id) + b","
    return (b'{"type":"snapshot",' + name + body[1:]).decode()


def stale(subscription_id: str | None, detail: str) -> str:
    """The answer cannot be computed: what was sent last may be out of date."""
    return _text({"type": "stale", **_named(subscription_id), "detail": detail})


def ping(meta: Any) -> str:
    """Nothing has changed; `meta` says up to when that is known."""
    return _text({"type": "ping", "meta": meta})


def error(subscription_id: str | None, detail: str, field: str | None = None, rule: str | None = None) -> str:
    """A message that was refused; the connection goes on."""
    return _text({"type": "error", "id": subscription_id, "field": field, "rule": rule, "detail": detail})


def _named(subscription_id: str | None) -> dict[str, str]:
    return {} if subscription_id is None else {"id": subscription_id}


def _text(message: dict[str, Any]) -> str:
    return encode(message).decode()
