"""What subscriptions follow: the answers to a question, whenever they change, and news of aggregates."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

import msgspec

from query_service.websocket.hub import Hub
from query_service.websocket.service import LiveService
from query_service.websocket.topic import Question, Snapshot

# Of updates that a client has not taken yet; older ones are forgotten.
MAX_WAITING = 1_000


class Latest:
    """Follows a topic and keeps its latest answer: a slow client misses what is outdated."""

    def __init__(self, interval: float) -> None:
        self.interval = interval
        self._news = asyncio.Event()
        self._snapshot: Snapshot | None = None
        self._error: Exception | None = None

    def show(self, snapshot: Snapshot) -> None:
        """There is a new answer."""
        self._snapshot = snapshot
        self._news.set()

    def show_stale(self, detail: str) -> None:
        """There is none at the moment; the next one is shown when it is there."""

    def refuse(self, error: Exception) -> None:
        """There will be none."""
        self._error = error
        self._news.set()

    async def next(self) -> Snapshot:
        """The newest answer that was not taken. Raises what the topic was refused for."""
        while True:
            await self._news.wait()
            self._news.clear()
            if self._error is not None:
                raise self._error
            if self._snapshot is not None:
                snapshot, self._snapshot = self._snapshot, None
                return snapshot


async def answers(hub: Hub, question: Question, interval: float) -> AsyncGenerator[dict[str, Any], None]:
    """Answers `{"data", "meta"}` to a question, at most one in `interval` seconds."""
    latest = Latest(interval)
    leave = hub.follow(question, latest)
    try:
        while True:
            snapshot = await latest.next()
            yield msgspec.json.decode(snapshot.body)
            await asyncio.sleep(interval)
    finally:
        leave()


async def updates(live: LiveService, is_wanted: Callable[[str], bool]) -> AsyncGenerator[dict[str, Any], None]:
    """Updates `{app_id, table, grain, periods}` of the apps that are wanted."""
    waiting: asyncio.Queue[dict[str, Any]] = asyncio.Queue(MAX_WAITING)

    def note(app_id: str, body: bytes) -> None:
        if not is_wanted(app_id):
            return
        if waiting.full():
            waiting.get_nowait()
        waiting.put_nowait({"app_id": app_id, **msgspec.json.decode(body)})

    leave = live.listen(note)
    try:
        while True:
            yield await waiting.get()
    finally:
        leave()
