"""One connection: who it is, what it follows, and what it is sent."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from eventmill.errors import NotReadyError
from query_service.problems import Forbidden, Unauthorized
from query_service.query.errors import InvalidParameter, QueryError
from query_service.reader import Reader
from query_service.websocket import messages
from query_service.websocket.hub import Hub
from query_service.websocket.messages import (
    BAD_MESSAGE,
    FORBIDDEN,
    TOO_MANY,
    TOO_SLOW,
    TRY_AGAIN_LATER,
    UNAUTHORIZED,
    Auth,
    Refusal,
    Subscribe,
    Unsubscribe,
)
from query_service.websocket.questions import Questions, covered_app
from query_service.websocket.subscription import Subscription
from query_service.websocket.topic import Question, described

FIRST_SECONDS = 10.0
PING_SECONDS = 15.0
# A client that takes nothing for so long is gone, or holds our memory.
SEND_SECONDS = 10.0
MAX_SUBSCRIPTIONS = 20
# So many messages at once, and so many a second on average.
BURST, PER_SECOND = 30.0, 2.0


class Wire(Protocol):
    """The texts that go to and fro."""

    async def receive(self) -> str:
        """The client's next message."""
        ...

    async def send(self, text: str) -> None:
        """Return once the text is on its way."""
        ...


Authenticate = Callable[[str | None], Awaitable[Reader]]


class Connection:
    """Serves one client until it, its key or the service ends."""

    def __init__(self, wire: Wire, hub: Hub, questions: Questions, authenticate: Authenticate) -> None:
        self._wire, self._hub, self._questions, self._authenticate = wire, hub, questions, authenticate
        self._subscriptions: dict[str | None, Subscription] = {}
        self._news = asyncio.Event()
        self._replies: list[str] = []
        self._refusal: Refusal | None = None
        self._greeting: asyncio.Task[str] | None = None
        self._allowance, self._heard_at = BURST, time.monotonic()

    def end(self, refusal: Refusal) -> None:
        """End it as soon as nothing is being sent."""
        self._refusal = refusal
        self._news.set()
        if self._greeting is not None:
            self._greeting.cancel()

    async def serve(self) -> None:
        """Raises Refusal, or what the wire raises at its end."""
        first = messages.decode_first(await self._greeted())
        reader = await self._sign_in(first.key)
        if isinstance(first, Auth):
            await self._send(messages.ready(reader.app_ids))
            listening = self._listen(reader)
        else:
            self._follow(None, self._todays(first, reader), first.interval)
            listening = self._listen_to_nothing()
        tasks = [asyncio.create_task(self._talk(first.key, reader)), asyncio.create_task(listening)]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            for subscription in self._subscriptions.values():
                subscription.leave()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()

    async def _greeted(self) -> str:
        """The first message, unless the service stops before."""
        self._greeting = asyncio.create_task(self._wire.receive())
        done, _ = await asyncio.wait([self._greeting], timeout=FIRST_SECONDS)
        if self._refusal is not None:
            raise self._refusal
        if not done:
            self._greeting.cancel()
            raise Refusal(TOO_SLOW, f"No message came within {FIRST_SECONDS:.0f} s.")
        return self._greeting.result()

    def _todays(self, asked: Subscribe, reader: Reader) -> Question:
        try:
            return self._questions.today(covered_app(asked.app_id, reader))
        except InvalidParameter as error:
            raise Refusal(BAD_MESSAGE, error.message) from None
        except QueryError:
            raise Refusal(FORBIDDEN, "There is no such app that this key covers.") from None

    async def _sign_in(self, key: str | None) -> Reader:
        try:
            return await self._authenticate(key)
        except NotReadyError:
            raise Refusal(TRY_AGAIN_LATER, "Keys cannot be checked at the moment.") from None
        except Unauthorized as error:
            raise Refusal(UNAUTHORIZED, str(error)) from None
        except Forbidden as error:
            raise Refusal(FORBIDDEN, str(error)) from None

    async def _check_still_valid(self, key: str | None, reader: Reader) -> None:
        try:
            now = await self._sign_in(key)
        except Refusal as refusal:
            # A key that was good stays good while nobody can tell.
            if refusal.code != TRY_AGAIN_LATER:
                raise
        else:
            if now != reader:
                raise Refusal(UNAUTHORIZED, "What the key may read has changed: connect again.")

    async def _listen_to_nothing(self) -> None:
        await self._wire.receive()
        raise Refusal(BAD_MESSAGE, "A connection has one subscription.")

    async def _listen(self, reader: Reader) -> None:
        while True:
            text = await self._wire.receive()
            self._spend()
            name = None
            try:
                message = messages.decode(text)
                name = getattr(message, "id", None)
                self._obey(message, reader)
            except QueryError as error:
                detail, field, rule = described(error)
                self._replies.append(messages.error(name, detail, field, rule))
                self._news.set()

    def _spend(self) -> None:
        now = time.monotonic()
        self._allowance = min(BURST, self._allowance + PER_SECOND * (now - self._heard_at)) - 1
        self._heard_at = now
        if self._allowance < 0:
            raise Refusal(TOO_MANY, f"More than {PER_SECOND:.0f} messages a second.")

    def _obey(self, message: messages.Message, reader: Reader) -> None:
        if isinstance(message, Auth):
            raise InvalidParameter("type", "The client is known already.", "One auth a connection.")
        if isinstance(message, Unsubscribe):
            self._drop(message.id)
            return
        if message.id is None:
            raise InvalidParameter("id", "The subscription has no id.", f"1 to {messages.MAX_ID} characters.")
        if message.id not in self._subscriptions and len(self._subscriptions) >= MAX_SUBSCRIPTIONS:
            rule = f"At most {MAX_SUBSCRIPTIONS} a connection; unsubscribe from one."
            raise InvalidParameter("id", "There are too many subscriptions.", rule)
        interval = messages.checked_interval(message.interval)
        self._follow(message.id, self._questions.of(message, reader), interval)

    def _follow(self, name: str | None, question: Question, interval: float) -> None:
        self._drop(name)
        subscription = self._subscriptions[name] = Subscription(name, interval, self._news)
        subscription.leave = self._hub.follow(question, subscription)

    def _drop(self, name: str | None) -> None:
        if subscription := self._subscriptions.pop(name, None):
            subscription.leave()

    async def _talk(self, key: str | None, reader: Reader) -> None:
        check_at = ping_at = time.monotonic() + PING_SECONDS
        while True:
            await self._wait(min(check_at, ping_at))
            if self._refusal is not None:
                raise self._refusal
            if time.monotonic() >= check_at:
                await self._check_still_valid(key, reader)
                check_at = time.monotonic() + PING_SECONDS
            for text in self._due():
                await self._send(text)
                ping_at = time.monotonic() + PING_SECONDS
            if time.monotonic() >= ping_at:
                await self._send(messages.ping(self._only_meta()))
                ping_at = time.monotonic() + PING_SECONDS

    async def _wait(self, until: float) -> None:
        """Until something is due, or an instant by the monotonic clock."""
        while True:
            self._news.clear()
            now = time.monotonic()
            waits = [one.waits_seconds(now) for one in self._subscriptions.values()]
            seconds = min([until - now, *(one for one in waits if one is not None)])
            if seconds <= 0 or self._replies or self._refusal is not None:
                return
            try:
                async with asyncio.timeout(seconds):
                    await self._news.wait()
            except TimeoutError:
                return

    def _due(self) -> list[str]:
        now = time.monotonic()
        texts, self._replies = self._replies, []
        for name, subscription in list(self._subscriptions.items()):
            if subscription.refusal is not None:
                if name is None:
                    raise Refusal(FORBIDDEN, "The app does not exist any more.")
                self._drop(name)
            if subscription.waits_seconds(now) == 0 or subscription.refusal is not None:
                texts.append(subscription.take(now))
        return texts

    def _only_meta(self) -> Any:
        """What the only subscription's answer rests on; of several, none."""
        found = [one.snapshot for one in self._subscriptions.values()]
        return found[0].meta if len(found) == 1 and found[0] is not None else None

    async def _send(self, text: str) -> None:
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._wire.send(text)
        except TimeoutError:
            self._hub.note_dropped()
            raise Refusal(TOO_SLOW, "The client takes nothing.") from None
