"""`ws /ws/live`: one connection, from its subscription to its end."""

import asyncio
import time
from typing import Any

import structlog
from litestar import WebSocket, websocket
from litestar.datastructures import State
from litestar.exceptions import WebSocketDisconnect

from eventmill.control.key_cache import KeyCache
from eventmill.errors import NotReadyError
from query_service.websocket.hub import LiveHub, Subscription
from query_service.websocket.messages import (
    BAD_MESSAGE,
    FORBIDDEN,
    TOO_SLOW,
    TRY_AGAIN_LATER,
    UNAUTHORIZED,
    Refusal,
    Subscribe,
    decode_subscribe,
)

SUBSCRIBE_SECONDS = 10.0
PING_SECONDS = 15.0
# A client that takes nothing for so long is gone, or holds our memory.
SEND_SECONDS = 10.0

Socket = WebSocket[Any, Any, State]

logger = structlog.get_logger(__name__)


@websocket("/ws/live")
async def live(socket: Socket, state: State) -> None:
    """Send today's numbers now and whenever they change, until client, key or service ends it."""
    connection = _Connection(socket, state.live, state.key_cache)
    await socket.accept()
    try:
        await connection.serve()
    except WebSocketDisconnect:
        return
    except Refusal as refusal:
        logger.debug("live connection ends", code=refusal.code, reason=refusal.reason)
        await socket.close(code=refusal.code, reason=refusal.reason)


class _Connection:
    def __init__(self, socket: Socket, hub: LiveHub, keys: KeyCache) -> None:
        self._socket, self._hub, self._keys = socket, hub, keys

    async def serve(self) -> None:
        """Raises Refusal or WebSocketDisconnect."""
        with self._hub.place():
            try:
                async with asyncio.timeout(SUBSCRIBE_SECONDS):
                    asked = decode_subscribe(await self._socket.receive_text())
            except TimeoutError:
                raise Refusal(TOO_SLOW, f"No subscription came within {SUBSCRIBE_SECONDS:.0f} s.") from None
            app_id = await self._authorize(asked)
            async with self._hub.subscribe(app_id) as subscription:
                await self._until_either_ends(subscription, app_id, asked)

    async def _authorize(self, asked: Subscribe) -> str:
        """The app to show."""
        try:
            credential = await self._keys.find(asked.key)
        except NotReadyError:
            raise Refusal(TRY_AGAIN_LATER, "Keys cannot be checked at the moment.") from None
        if credential is None:
            raise Refusal(UNAUTHORIZED, "The key is unknown, expired or revoked.")
        if credential.kind == "write":
            raise Refusal(FORBIDDEN, "A write key cannot read.")
        if asked.app_id is None and len(credential.app_ids) > 1:
            raise Refusal(BAD_MESSAGE, "The key covers several apps: app_id says which.")
        app_id = asked.app_id or credential.app_ids[0]
        if app_id not in credential.apps:
            raise Refusal(FORBIDDEN, "There is no such app that this key covers.")
        return app_id

    async def _until_either_ends(self, subscription: Subscription, app_id: str, asked: Subscribe) -> None:
        tasks = [asyncio.create_task(self._send(subscription, app_id, asked)), asyncio.create_task(self._listen())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()

    async def _send(self, subscription: Subscription, app_id: str, asked: Subscribe) -> None:
        check_at = time.monotonic() + PING_SECONDS
        while True:
            message = await subscription.take(PING_SECONDS)
            if time.monotonic() >= check_at:
                await self._check_still_valid(asked)
                check_at = time.monotonic() + PING_SECONDS
            try:
                async with asyncio.timeout(SEND_SECONDS):
                    await self._socket.send_text(message or self._hub.ping(app_id))
            except TimeoutError:
                raise Refusal(TOO_SLOW, "The client takes nothing.") from None

    async def _check_still_valid(self, asked: Subscribe) -> None:
        try:
            await self._authorize(asked)
        except Refusal as refusal:
            # A key that was good stays good while nobody can tell.
            if refusal.code != TRY_AGAIN_LATER:
                raise

    async def _listen(self) -> None:
        await self._socket.receive_text()
        raise Refusal(BAD_MESSAGE, "A connection has one subscription.")
