"""`ws /graphql`: operations over graphql-transport-ws, for whoever names a key in connection_init."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog
from litestar import WebSocket, websocket
from litestar.datastructures import State
from litestar.exceptions import WebSocketDisconnect

from query_service.auth import Authenticator, session_token
from query_service.graphql.connection import Connection
from query_service.graphql.context import Context
from query_service.graphql.wire import PROTOCOL, Wire
from query_service.reader import Reader
from query_service.transport import TRANSPORT
from query_service.websocket.live import check_origin
from query_service.websocket.messages import Refusal
from query_service.websocket.service import LiveService

NOT_ACCEPTABLE = 4406
CLOSING_SECONDS = 2.0
Socket = WebSocket[Any, Any, State]

logger = structlog.get_logger(__name__)


@websocket("/graphql")
async def graphql_socket(socket: Socket, state: State) -> None:
    """Run operations until client, key or service ends it."""
    live: LiveService = state.live
    offered = socket.scope["subprotocols"]
    await socket.accept(subprotocols=PROTOCOL if PROTOCOL in offered else None)
    TRANSPORT.set("graphql")
    wire = Wire(socket.receive_text, socket.send_text)
    try:
        _check_protocol(offered)
        check_origin(socket.headers)
        connection = Connection(wire, Context.of(socket, None), _authenticate(state.authenticator, socket))
        with live.hub.place(wire.end):
            await connection.serve()
    except WebSocketDisconnect:
        return
    except Refusal as refusal:
        logger.debug("GraphQL connection ends", code=refusal.code, reason=refusal.reason)
        await _close(socket, refusal)


def _check_protocol(offered: Sequence[str]) -> None:
    if PROTOCOL not in offered:
        raise Refusal(NOT_ACCEPTABLE, f"The subprotocol is {PROTOCOL}.")


async def _close(socket: Socket, refusal: Refusal) -> None:
    try:
        async with asyncio.timeout(CLOSING_SECONDS):
            await socket.close(code=refusal.code, reason=refusal.reason)
    except (TimeoutError, WebSocketDisconnect):
        return  # a client that takes nothing is not told why


def _authenticate(authenticator: Authenticator, socket: Socket) -> Callable[[str | None], Awaitable[Reader]]:
    session = session_token(socket)

    async def authenticate(key: str | None) -> Reader:
        if key is None and session is not None:
            return await authenticator.authenticate_session(session)
        return await authenticator.authenticate(key)

    return authenticate
