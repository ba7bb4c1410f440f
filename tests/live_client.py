"""A client's end of a live connection, and numbers to follow over it."""

import asyncio
import json
from typing import Any

import pytest

from query_service.problems import Unauthorized
from query_service.query.errors import InvalidParameter
from query_service.reader import Reader
from query_service.websocket.connection import Connection
from query_service.websocket.hub import Hub
from query_service.websocket.messages import Refusal, Subscribe, encode
from query_service.websocket.questions import covered_app
from query_service.websocket.topic import Question, Snapshot

SHOP = Reader(("shop", "blog"), "read", may_see_people=False, subject="key:abc")
SOON = 5.0


class LeftError(Exception):
    """The client went away."""


class FakeWire:
    """The client's end of a connection."""

    def __init__(self) -> None:
        self.incoming: asyncio.Queue[str] = asyncio.Queue()
        self.sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.takes_nothing = False

    async def receive(self) -> str:
        text = await self.incoming.get()
        if not text:
            raise LeftError
        return text

    async def send(self, text: str) -> None:
        if self.takes_nothing:
            await asyncio.Event().wait()
        self.sent.put_nowait(json.loads(text))

    def say(self, **message: Any) -> None:
        self.incoming.put_nowait(json.dumps(message))

    async def hear(self) -> dict[str, Any]:
        async with asyncio.timeout(SOON):
            return await self.sent.get()

    async def hear_nothing(self, seconds: float = 0.1) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.sent.get()


class Numbers:
    """A number by name, as the questions answer it; an error instead where there is one."""

    def __init__(self) -> None:
        self.values: dict[str, int | Exception] = {}
        self.asked: list[str] = []
        self.sources: dict[str, str] = {}

    def of(self, asked: Subscribe, reader: Reader) -> Question:
        if asked.query is None:
            raise InvalidParameter("query", "A subscription is either a query or live.", "Give one.")
        app_id = covered_app(asked.query.get("app_id"), reader)
        return self._question(f"{app_id}.{asked.query['name']}", app_id)

    def today(self, app_id: str) -> Question:
        return self._question(f"{app_id}.today", app_id)

    def _question(self, name: str, app_id: str) -> Question:
        async def ask() -> Snapshot:
            self.asked.append(name)
            value = self.values.setdefault(name, 1)
            if isinstance(value, Exception):
                raise value
            return Snapshot(
                encode({"data": [value], "meta": {"of": name}}), value, {"of": name}, self.sources.get(name, "rollup")
            )

        return Question(name, app_id, ask)


class Client:
    """A connection under test; `ended` is how it ended."""

    def __init__(self, hub: Hub, numbers: Numbers, readers: dict[str | None, Reader | Exception]) -> None:
        self.wire = FakeWire()
        self._readers = readers
        self._hub = hub
        self.connection = Connection(self.wire, hub, numbers, self._authenticate)  # type: ignore[arg-type]
        self.task = asyncio.create_task(self._serve())

    async def _serve(self) -> Exception | None:
        try:
            with self._hub.place(self.connection.end):
                await self.connection.serve()
        except (Refusal, LeftError) as end:
            return end
        return None

    async def _authenticate(self, key: str | None) -> Reader:
        found = self._readers.get(key, Unauthorized("The key is unknown, expired or revoked."))
        if isinstance(found, Exception):
            raise found
        return found

    async def ended(self) -> int | str:
        async with asyncio.timeout(SOON):
            end = await self.task
        return end.code if isinstance(end, Refusal) else type(end).__name__
