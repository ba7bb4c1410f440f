"""A question that somebody follows: computed once for all who do, again whenever its answer may have changed."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from eventmill.errors import DefinitionError
from query_service.query.errors import InvalidParameter, QueryError, UnknownApp
from query_service.websocket import messages

logger = structlog.get_logger(__name__)

# Time alone may change an answer, and word of a change may not come, as while the broker is away.
PATIENCE_SECONDS = {"live": 1.0, "rollup": 5.0, "lake": 30.0}
# An answer that takes a second must not be asked for every second.
LEAST_SECONDS = {"lake": 10.0}
UNREADABLE = "The numbers cannot be read at the moment."


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An answer as JSON, `{"data": …, "meta": …}`; equal `content` is nothing new. `source`: live, rollup or lake."""

    body: bytes
    content: Any
    meta: Any
    source: str = "rollup"


@dataclass(frozen=True, slots=True)
class Question:
    """What a topic asks. Equal keys have equal answers."""

    key: Hashable
    app_id: str
    ask: Callable[[], Awaitable[Snapshot]]


class Follower(Protocol):
    """Whoever follows a topic."""

    interval: float

    def show(self, snapshot: Snapshot) -> None:
        """There is a new answer."""
        ...

    def show_stale(self, detail: str) -> None:
        """There is none at the moment."""
        ...

    def refuse(self, error: Exception) -> None:
        """There will be none: the topic has ended."""
        ...


class Topic:
    """Asks as long as somebody follows; `ended` is called when it ends by itself."""

    def __init__(self, question: Question, ended: Callable[["Topic"], None]) -> None:
        self.question, self._ended = question, ended
        self.followers: set[Follower] = set()
        self.snapshot: Snapshot | None = None
        self._may_differ = asyncio.Event()
        self._is_stale = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to ask."""
        self._task = asyncio.create_task(self._run())

    def stop(self) -> None:
        """End without telling anybody."""
        if self._task is not None:
            self._task.cancel()

    def join(self, follower: Follower) -> None:
        """Show the answer to one more, at once where there is one."""
        self.followers.add(follower)
        if self.snapshot is not None:
            follower.show(self.snapshot)
            self.touch()

    @property
    def is_live(self) -> bool:
        """Whether the answer changes with every event, else with the aggregates."""
        return self.snapshot is not None and self.snapshot.source == "live"

    def touch(self) -> None:
        """The answer may be another one by now."""
        self._may_differ.set()

    async def _run(self) -> None:
        try:
            while True:
                started_at = time.monotonic()
                self._may_differ.clear()
                await self._ask()
                await self._rest(started_at)
        except (QueryError, DefinitionError) as error:
            self._end(error)

    async def _ask(self) -> None:
        try:
            snapshot = await self.question.ask()
        except (QueryError, DefinitionError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever went wrong may pass, and nobody else would say so
            if not self._is_stale:
                logger.warning("no live answer", app_id=self.question.app_id, error=str(error) or type(error).__name__)
                for follower in list(self.followers):
                    follower.show_stale(UNREADABLE)
            self._is_stale = True
            return
        is_new = self.snapshot is None or self._is_stale or snapshot.content != self.snapshot.content
        self.snapshot, self._is_stale = snapshot, False
        if is_new:
            for follower in list(self.followers):
                follower.show(snapshot)

    async def _rest(self, started_at: float) -> None:
        """Until something may be new, but not less than the shortest interval."""
        source = "rollup" if self.snapshot is None else self.snapshot.source
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS[source]):
                await self._may_differ.wait()
        interval = min((follower.interval for follower in self.followers), default=messages.DEFAULT_SECONDS)
        interval = max(interval, LEAST_SECONDS.get(source, 0.0))
        await asyncio.sleep(max(0.0, started_at + interval - time.monotonic()))

    def _end(self, error: Exception) -> None:
        self._ended(self)
        for follower in list(self.followers):
            follower.refuse(error)


def described(error: Exception) -> tuple[str, str | None, str | None]:
    """Detail, field and rule of a refusal."""
    if isinstance(error, InvalidParameter):
        return error.message, error.field, error.rule
    if isinstance(error, UnknownApp):
        return str(error), "app_id", None
    if isinstance(error, DefinitionError):
        return "The question breaks a rule.", error.field, error.rule
    return str(error), None, None
