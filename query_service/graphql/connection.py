"""A client of graphql-transport-ws: Strawberry speaks the protocol, we say who may come, ask what, and stay."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import structlog
from graphql import GraphQLError
from strawberry.exceptions import ConnectionRejectionError
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler
from strawberry.subscriptions.protocols.graphql_transport_ws.types import ConnectionInitMessage, SubscribeMessage
from strawberry.types.unset import UNSET, UnsetType

from eventmill.errors import NotReadyError
from query_service.access_problems import TooManyRequests
from query_service.graphql import documents
from query_service.graphql.context import Context
from query_service.graphql.refusals import Refusal as Refused
from query_service.graphql.refusals import explained
from query_service.graphql.schema import SCHEMA
from query_service.graphql.wire import Wire
from query_service.limits import RequestLimits
from query_service.problems import Forbidden, Unauthorized
from query_service.reader import Reader
from query_service.websocket.connection import FIRST_SECONDS, MAX_SUBSCRIPTIONS, PING_SECONDS
from query_service.websocket.messages import FORBIDDEN, TOO_SLOW, TRY_AGAIN_LATER, UNAUTHORIZED, Refusal
from query_service.websocket.service import LiveService

Authenticate = Callable[[str | None], Awaitable[Reader]]

logger = structlog.get_logger(__name__)


class Connection(BaseGraphQLTransportWSHandler[Context, None]):
    """Serves one client until it, its key or the service ends."""

    def __init__(self, wire: Wire, context: Context, authenticate: Authenticate) -> None:
        first = timedelta(seconds=FIRST_SECONDS)
        super().__init__(cast("Any", self), cast("Any", wire), context, None, SCHEMA, first, MAX_SUBSCRIPTIONS)
        self._wire, self._authenticate = wire, authenticate
        self._key: str | None = None

    async def serve(self) -> None:
        """Raises Refusal where the service ends the connection, returns where the client did."""
        tasks = [asyncio.create_task(one) for one in (self.handle(), self._watch(), self._wire.ended.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if self._wire.refusal is not None:
            live: LiveService = self.context.state.live
            if self._wire.refusal.code == TOO_SLOW:
                live.hub.note_dropped()
            raise self._wire.refusal

    async def handle_connection_init(self, message: ConnectionInitMessage) -> None:
        """Remember whose connection it is."""
        self._key = _key_in(message.get("payload") or {})
        await super().handle_connection_init(message)

    async def on_ws_connect(self, _context: Context) -> UnsetType | dict[str, object] | None:
        """Let in who may read. Called by the protocol; the reason of a refusal is ours, not its own."""
        try:
            reader = await self._sign_in()
        except Refusal as refusal:
            self._wire.end(refusal)
            raise ConnectionRejectionError from None
        is_open = reader.kind == "admin" or self.context.state.settings.graphql_introspection
        self.context = replace(self.context, reader=reader, may_ask_for_schema=is_open)
        # None would go out as a payload that is null.
        nothing: UnsetType = UNSET
        return nothing

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        """Refuse what is no document within the limits, or one operation too many."""
        if self.connection_acknowledged and message["id"] not in self.operations:
            try:
                self._check(message["payload"]["query"])
            except GraphQLError as error:
                said = [explained(error).formatted]
                await self.send_message({"id": message["id"], "type": "error", "payload": said})
                return
        await super().handle_subscribe(message)

    async def handle_task_exception(self, error: Exception) -> None:
        """A client that left is no error."""
        if not isinstance(error, WebSocketDisconnected):
            logger.error("GraphQL operation failed", exc_info=error)

    def _check(self, query: str) -> None:
        if len(self.operations) >= MAX_SUBSCRIPTIONS:
            rule = f"At most {MAX_SUBSCRIPTIONS} operations at once; complete one."
            raise Refused("There are too many operations.", "TOO_LARGE", field="id", rule=rule)
        limits: RequestLimits = self.context.state.limits
        try:
            limits.take(self.context.known.subject)
        except TooManyRequests as error:
            raise GraphQLError(str(error), original_error=error) from None
        documents.read(query)

    async def _watch(self) -> None:
        """See now and then whether the key is still good, and whether the client is still there."""
        while True:
            await asyncio.sleep(PING_SECONDS)
            if not self.connection_acknowledged:
                continue
            try:
                reader = await self._sign_in()
            except Refusal as refusal:
                # A key that was good stays good while nobody can tell.
                if refusal.code != TRY_AGAIN_LATER:
                    self._wire.end(refusal)
            else:
                if reader != self.context.reader:
                    self._wire.end(Refusal(UNAUTHORIZED, "What the key may read has changed: connect again."))
            await self.send_message({"type": "ping"})

    async def _sign_in(self) -> Reader:
        try:
            return await self._authenticate(self._key)
        except NotReadyError:
            raise Refusal(TRY_AGAIN_LATER, "Keys cannot be checked at the moment.") from None
        except Unauthorized as error:
            raise Refusal(UNAUTHORIZED, str(error)) from None
        except Forbidden as error:
            raise Refusal(FORBIDDEN, str(error)) from None


def _key_in(payload: dict[str, Any]) -> str | None:
    """The key that connection_init names: `{"Authorization": "Bearer …"}`, or `{"key": "…"}`."""
    named = {name.lower(): value for name, value in payload.items() if isinstance(value, str)}
    scheme, _, token = named.get("authorization", "").partition(" ")
    return (token.strip() if scheme.lower() == "bearer" else None) or named.get("key") or None
