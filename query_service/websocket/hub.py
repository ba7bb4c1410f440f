"""Asks for each app's numbers once a second, however many look on, and hands what changed to all of them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import psycopg
import structlog

from query_service.query.answer import Answer
from query_service.query.errors import UnknownApp
from query_service.websocket.messages import (
    FAILED,
    FORBIDDEN,
    GOING_AWAY,
    TRY_AGAIN_LATER,
    Refusal,
    encode_ping,
    encode_snapshot,
    encode_stale,
)

POLL_SECONDS = 1.0
MAX_CLIENTS = 1_000

Ask = Callable[[str], Awaitable[Answer]]

logger = structlog.get_logger(__name__)


class Subscription:
    """The newest message for one client. A client that reads slowly misses what is outdated, and holds up nobody."""

    def __init__(self) -> None:
        self._message: str | None = None
        self._refusal: Refusal | None = None
        self._is_there = asyncio.Event()

    def offer(self, message: str) -> None:
        """Replace what was not taken yet."""
        self._message = message
        self._is_there.set()

    def end(self, refusal: Refusal) -> None:
        """Let `take` raise from now on."""
        self._refusal = refusal
        self._is_there.set()

    async def take(self, timeout_seconds: float) -> str | None:
        """The newest message, None where there was none in time. Raises Refusal once the subscription has ended."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._is_there.wait()
        if self._refusal is not None:
            raise self._refusal
        message, self._message = self._message, None
        self._is_there.clear()
        return message


class _Topic:
    """An app that somebody looks at."""

    def __init__(self, app_id: str) -> None:
        self.app_id = app_id
        self.subscriptions: set[Subscription] = set()
        self.answer: Answer | None = None
        self.message: str | None = None
        self.task: asyncio.Task[None] | None = None

    def tell(self, message: str) -> None:
        self.message = message
        for subscription in self.subscriptions:
            subscription.offer(message)

    def end(self, refusal: Refusal) -> None:
        for subscription in self.subscriptions:
            subscription.end(refusal)


class LiveHub:
    """Subscriptions by app. `ask` answers an app's numbers of today, or raises UnknownApp, psycopg.Error, OSError."""

    def __init__(self, ask: Ask, *, poll_seconds: float = POLL_SECONDS, max_clients: int = MAX_CLIENTS) -> None:
        self._ask, self._poll_seconds, self._max_clients = ask, poll_seconds, max_clients
        self._topics: dict[str, _Topic] = {}
        self._clients = 0
        self._is_closed = False

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """Hold one of the places for clients, from before they have said who they are. Raises Refusal 1013."""
        if self._clients >= self._max_clients:
            raise Refusal(TRY_AGAIN_LATER, f"All {self._max_clients:,} places are taken.")
        self._clients += 1
        try:
            yield
        finally:
            self._clients -= 1

    @contextlib.asynccontextmanager
    async def subscribe(self, app_id: str) -> AsyncIterator[Subscription]:
        """A subscription to an app, which must be the client's to read."""
        if self._is_closed:
            raise Refusal(GOING_AWAY, "The service stops.")
        topic = self._topics.get(app_id)
        if topic is None:
            topic = self._topics[app_id] = _Topic(app_id)
            topic.task = asyncio.create_task(self._follow(topic))
        subscription = Subscription()
        topic.subscriptions.add(subscription)
        if topic.message is not None:
            subscription.offer(topic.message)
        try:
            yield subscription
        finally:
            topic.subscriptions.discard(subscription)
            if not topic.subscriptions:
                self._drop(topic)

    def ping(self, app_id: str) -> str:
        """The message that says that nothing has changed."""
        topic = self._topics.get(app_id)
        return encode_ping(topic.answer if topic else None)

    def close(self) -> None:
        """End all subscriptions."""
        self._is_closed = True
        for topic in list(self._topics.values()):
            topic.end(Refusal(GOING_AWAY, "The service stops."))
            self._drop(topic)

    def _drop(self, topic: _Topic) -> None:
        self._forget(topic)
        if topic.task is not None:
            topic.task.cancel()

    def _forget(self, topic: _Topic) -> None:
        if self._topics.get(topic.app_id) is topic:
            del self._topics[topic.app_id]

    async def _follow(self, topic: _Topic) -> None:
        refusal = Refusal(FAILED, "The service failed; its log says why.")
        try:
            await self._poll(topic)
        except UnknownApp:
            refusal = Refusal(FORBIDDEN, "The app does not exist any more.")
        except Exception:  # nobody waits for this task: without a line its clients would wait for ever, unexplained
            logger.exception("live numbers failed", app_id=topic.app_id)
        self._forget(topic)
        topic.end(refusal)

    async def _poll(self, topic: _Topic) -> None:
        is_stale = False
        while True:
            try:
                answer = await self._ask(topic.app_id)
            except (psycopg.Error, OSError, TimeoutError) as error:
                if not is_stale:
                    logger.warning("no live numbers", app_id=topic.app_id, error=str(error) or type(error).__name__)
                    topic.tell(encode_stale("The numbers cannot be read at the moment."))
                is_stale = True
            else:
                if is_stale or topic.answer is None or _is_different(topic.answer, answer):
                    topic.tell(encode_snapshot(answer))
                topic.answer, is_stale = answer, False
            await asyncio.sleep(self._poll_seconds)


def _is_different(before: Answer, now: Answer) -> bool:
    """Whether a number, or what it rests on, has changed; instants move on all the time."""
    return (before.data, before.meta.late_pending, before.meta.definition_version, before.meta.range) != (
        now.data,
        now.meta.late_pending,
        now.meta.definition_version,
        now.meta.range,
    )
