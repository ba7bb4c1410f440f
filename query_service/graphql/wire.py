"""The messages of graphql-transport-ws, checked, over a WebSocket whose client may be slow, loud or gone."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Annotated, Any

import msgspec
from litestar.exceptions import WebSocketDisconnect
from msgspec import Meta
from strawberry.http.exceptions import WebSocketDisconnected

from query_service.websocket.connection import BURST, PER_SECOND, SEND_SECONDS
from query_service.websocket.messages import BAD_MESSAGE, MAX_ID, TOO_MANY, TOO_SLOW, Refusal

PROTOCOL = "graphql-transport-ws"
MAX_CHARACTERS = 256 * 1024

Id = Annotated[str, Meta(min_length=1, max_length=MAX_ID)]


class ConnectionInit(msgspec.Struct, tag="connection_init"):
    """The first message: who asks."""

    payload: dict[str, Any] | None = None


class Ping(msgspec.Struct, tag="ping"):
    """Wants a pong."""

    payload: dict[str, Any] | None = None


class Pong(msgspec.Struct, tag="pong"):
    """Answers a ping."""

    payload: dict[str, Any] | None = None


class Operation(msgspec.Struct):
    """What a subscribe message asks for."""

    query: str
    variables: dict[str, Any] | None = None
    operationName: str | None = None  # noqa: N815 - the protocol's own word
    extensions: dict[str, Any] | None = None


class Subscribe(msgspec.Struct, tag="subscribe"):
    """Begins an operation, of any kind."""

    id: Id
    payload: Operation


class Complete(msgspec.Struct, tag="complete"):
    """Ends an operation."""

    id: Id


_MESSAGE = msgspec.json.Decoder(ConnectionInit | Ping | Pong | Subscribe | Complete)


class Wire:
    """What Strawberry's protocol talks to. It ends once, for the first reason that is given."""

    def __init__(self, receive: Callable[[], Awaitable[str]], send: Callable[[str], Awaitable[None]]) -> None:
        self._receive, self._send = receive, send
        self._allowance, self._heard_at = BURST, time.monotonic()
        self._turn = asyncio.Lock()
        self.refusal: Refusal | None = None
        self.ended = asyncio.Event()

    def end(self, refusal: Refusal) -> None:
        """End the connection."""
        if self.refusal is None:
            self.refusal = refusal
            self.ended.set()

    async def close(self, code: int, reason: str) -> None:
        """End the connection, in the words of the protocol."""
        self.end(Refusal(code, reason[:120]))

    async def iter_json(self, *, ignore_parsing_errors: bool = False) -> AsyncGenerator[dict[str, Any], None]:
        """The client's messages until it leaves, or says what is none."""
        del ignore_parsing_errors  # the other protocol's
        while not self.ended.is_set():
            try:
                text = await self._receive()
            except WebSocketDisconnect:
                return
            try:
                self._spend()
                message = _decoded(text)
            except Refusal as refusal:
                self.end(refusal)
                return
            yield message

    async def send_json(self, message: Mapping[str, object]) -> None:
        """Return once a message is on its way. Raises WebSocketDisconnected where nobody takes it."""
        if self.ended.is_set():
            raise WebSocketDisconnected
        text = msgspec.json.encode(message).decode()
        try:
            # The messages of all operations take turns, and one that is not taken ends them all.
            async with self._turn, asyncio.timeout(SEND_SECONDS):
                await self._send(text)
        except TimeoutError:
            self.end(Refusal(TOO_SLOW, "The client takes nothing."))
            raise WebSocketDisconnected from None
        except WebSocketDisconnect:
            raise WebSocketDisconnected from None

    def _spend(self) -> None:
        now = time.monotonic()
        self._allowance = min(BURST, self._allowance + PER_SECOND * (now - self._heard_at)) - 1
        self._heard_at = now
        if self._allowance < 0:
            raise Refusal(TOO_MANY, f"More than {PER_SECOND:.0f} messages a second.")


def _decoded(text: str) -> dict[str, Any]:
    if len(text) > MAX_CHARACTERS:
        raise Refusal(BAD_MESSAGE, f"A message has at most {MAX_CHARACTERS:,} characters.")
    try:
        message = msgspec.to_builtins(_MESSAGE.decode(text))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Refusal(BAD_MESSAGE, f"The message is none of {PROTOCOL}.") from None
    return {name: value for name, value in message.items() if value is not None}
