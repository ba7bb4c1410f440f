"""`ws /ws/live` and `ws /ws/dashboard`: the same connections under two names."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from litestar import WebSocket, websocket
from litestar.datastructures import State
from litestar.exceptions import WebSocketDisconnect

from query_service.auth import Authenticator, session_token
from query_service.reader import Reader
from query_service.transport import TRANSPORT
from query_service.websocket.connection import Connection
from query_service.websocket.messages import FORBIDDEN, Refusal
from query_service.websocket.service import LiveService

Socket = WebSocket[Any, Any, State]

logger = structlog.get_logger(__name__)


@websocket(["/ws/live", "/ws/dashboard"])
async def live(socket: Socket, state: State) -> None:
    """Send answers now and whenever they change, until client, key or service ends it."""
    TRANSPORT.set("websocket")
    service: LiveService = state.live
    authenticate = _authenticate(state.authenticator, socket)
    connection = Connection(_Wire(socket), service.hub, service.questions, authenticate)
    await socket.accept()
    try:
        check_origin(socket.headers)
        with service.hub.place(connection.end):
            await connection.serve()
    except WebSocketDisconnect:
        return
    except Refusal as refusal:
        logger.debug("live connection ends", code=refusal.code, reason=refusal.reason)
        await socket.close(code=refusal.code, reason=refusal.reason)


def check_origin(headers: Mapping[str, str]) -> None:
    """Raises Refusal 4403 for a page of another origin: a browser would lend it the session of whoever looks at it."""
    origin = headers.get("origin")
    if origin is not None and origin.lower().partition("://")[2] != headers.get("host", "").lower():
        raise Refusal(FORBIDDEN, "Pages of other origins may not connect.")


def _authenticate(authenticator: Authenticator, socket: Socket) -> Callable[[str | None], Awaitable[Reader]]:
    session = session_token(socket)

    async def authenticate(key: str | None) -> Reader:
        if key is None and session is not None:
            return await authenticator.authenticate_session(session)
        return await authenticator.authenticate(key)

    return authenticate


class _Wire:
    def __init__(self, socket: Socket) -> None:
        self._socket = socket

    async def receive(self) -> str:
        """The client's next message."""
        return await self._socket.receive_text()

    async def send(self, text: str) -> None:
        """Return once the text is on its way."""
        await self._socket.send_text(text)
