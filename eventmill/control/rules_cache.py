"""The apps' rules, cached: Postgres may be away while events are written, but never when an app is called unknown."""

import asyncio
import time
from collections.abc import Callable, Mapping

import psycopg
import structlog

from eventmill.contracts.decode import AppRules
from eventmill.control.rules import app_rules
from eventmill.errors import NotReadyError
from eventmill.settings import Settings
from eventmill.warehouse import connect as connect_warehouse

log = structlog.get_logger(__name__)

Load = Callable[[], Mapping[str, AppRules]]


class RulesCache:
    """Rules by app. `load` blocks, so it runs in a thread; it raises NotReadyError where Postgres does not answer."""

    def __init__(
        self,
        load: Load,
        max_age_seconds: float = 15.0,
        retry_seconds: float = 1.0,
        patience_seconds: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load = load
        self._max_age_seconds = max_age_seconds
        self._retry_seconds = retry_seconds
        self._patience_seconds = patience_seconds
        self._clock = clock
        self._rules: Mapping[str, AppRules] = {}
        self._loaded_at = float("-inf")
        self._tried_at = float("-inf")
        self._refresh: asyncio.Task[None] | None = None
        # False only while an answer is needed that Postgres does not give.
        self.is_answering = False

    def problems(self) -> list[str]:
        """What keeps events from being decoded; empty where nothing does."""
        return [] if self.is_answering else ["PostgreSQL does not say which apps there are."]

    async def of(self, app_id: str, arrived_at: float) -> AppRules | None:
        """Rules of an app; None only if the app did not exist after `arrived_at` (the cache's clock).

        Waits while that cannot be told because Postgres is away: an event must not be called unknown for that. Rules
        are older than `max_age_seconds` only where Postgres does not answer.
        """
        if app_id not in self._rules:
            await self._load_after(arrived_at)
        self._refresh_when_old()
        # After a pause nothing was refreshed meanwhile, and what has changed since must hold for the first event too.
        if self._refresh is not None and self._clock() - self._loaded_at > self._max_age_seconds:
            await asyncio.wait({self._refresh}, timeout=self._patience_seconds)
        return self._rules.get(app_id)

    async def wait_until_loaded(self) -> None:
        """Return once Postgres has answered for the first time."""
        await self._load_after(self._clock())

    async def _load_after(self, instant: float) -> None:
        while self._loaded_at < instant:
            if not await self._try_load():
                self.is_answering = False
                await asyncio.sleep(self._retry_seconds)

    def _refresh_when_old(self) -> None:
        is_running = self._refresh is not None and not self._refresh.done()
        oldest = max(self._loaded_at, self._tried_at)
        # In time before they are too old: a busy stream never waits.
        if not is_running and self._clock() - oldest > self._max_age_seconds / 2:
            self._refresh = asyncio.create_task(self._refresh_once())

    async def _refresh_once(self) -> None:
        await self._try_load()

    async def _try_load(self) -> bool:
        started_at = self._tried_at = self._clock()
        try:
            self._rules = await asyncio.to_thread(self._load)
        except NotReadyError as error:
            log.warning("the apps' rules cannot be read", reason=error.message)
            return False
        self._loaded_at = started_at
        self.is_answering = True
        return True


def load_rules(settings: Settings) -> Mapping[str, AppRules]:
    """Rules of every app. Raises NotReadyError where Postgres does not answer or is not set up."""
    try:
        with connect_warehouse(settings, autocommit=True) as connection:
            return app_rules(connection)
    except FileNotFoundError as error:
        raise NotReadyError(f"PostgreSQL is not set up yet: {error}") from error
    except psycopg.Error as error:
        raise NotReadyError(f"PostgreSQL does not answer: {error}", "Was `eventmill migrate` run?") from error
