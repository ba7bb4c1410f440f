"""Answers checked questions: plans them, asks the sources, keeps what may be asked again."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

import msgspec

from query_service.query import table
from query_service.query.cache import AnswerCache, Kept
from query_service.query.errors import InvalidParameter, NoSource
from query_service.query.executor import Executor
from query_service.query.planner import Choice, choose
from query_service.query.query_answer import QueryAnswer, Resting, answered
from query_service.query.remembered import Remembered
from query_service.query.rollup_reader import Fresh, RollupReader
from query_service.query.rollup_rows import TooCoarse, Values
from query_service.query.sources import LakeSource, LiveSource
from query_service.query.spec import MAX_ROWS, QuerySpec
from query_service.query.table import Table
from query_service.query.uniques import DAILY

# An answer is computed again so often at least: what it says of its own freshness grows old.
TOP_LIST_SECONDS = 300.0
PERIODS_SECONDS = 60.0
# What an answer takes in memory, beside its JSON: rows as objects.
BYTES_PER_JSON_BYTE = 8

_WITHOUT_LAKE = "Whole hours, days, weeks or months of one cut at a time, with at most a filter for one of its values."

Version = Callable[[], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Sources:
    """Where answers come from; what is None is not there."""

    executor: Executor
    lake: LakeSource | None = None
    live: LiveSource | None = None


@dataclass(frozen=True, slots=True)
class _Found:
    """What one source says about one range; `current_version` None: it changes all the time."""

    table: Table
    resting: Resting
    version: str = ""
    current_version: Version | None = None


class Questions:
    """Answers one question at a time. Raises NoSource where one is missing, and what the sources raise."""

    def __init__(self, sources: Sources, cache: AnswerCache[QueryAnswer], clock: Callable[[], datetime]) -> None:
        self._reader = RollupReader(sources.executor)
        self._lake, self._live = sources.lake, sources.live
        self._cache, self._clock = cache, clock
        self._fresh: Remembered[Fresh] = Remembered()

    async def answer(self, spec: QuerySpec) -> QueryAnswer:
        """The answer; a kept one where nothing that it rests on has changed."""
        # A range that ends now is another one with every request.
        if spec.window is not None or (spec.granularity == "minute" and self._choose(spec).source == "live"):
            return (await self._compute(spec)).answer
        return await self._cache.get(spec, partial(self._compute, spec))

    async def _compute(self, spec: QuerySpec) -> Kept[QueryAnswer]:
        earlier = _earlier(spec)
        if earlier is None:
            found, before = await self._find(spec), None
        elif spec.dimensions:
            found = await self._find(spec)
            before = await self._find(earlier, table.values_of(spec, found.table))
        else:
            found, before = await asyncio.gather(self._find(spec), self._find(earlier))
        answer = answered(spec, found.table, None if before is None else before.table, found.resting)
        parts = [part for part in (found, before) if part is not None]
        answer.meta.exact = all(part.resting.is_exact for part in parts)
        answer.meta.uniques_scope = DAILY if any(part.resting.fresh.has_daily_visitors for part in parts) else None
        return Kept(
            answer,
            version=" ".join(part.version for part in parts),
            current_version=partial(_versions, [part.current_version for part in parts if part.current_version]),
            size=BYTES_PER_JSON_BYTE * len(answer.encoded.body),
            ttl_seconds=PERIODS_SECONDS if spec.granularity else TOP_LIST_SECONDS,
        )

    async def _find(self, spec: QuerySpec, values: Sequence[Values] | None = None) -> _Found:
        choice = self._choose(spec)
        if choice.source == "live":
            return await self._in_window(spec, choice)
        if choice.source == "rollup":
            try:
                return await self._in_rollups(spec, choice)
            except TooCoarse:
                choice = Choice("lake", "the rollups keep the 1,000 largest values of a period")
        return await self._in_lake(spec, choice, values)

    def _choose(self, spec: QuerySpec) -> Choice:
        return choose(spec, is_in_window=self._live is not None and self._live.holds(spec))

    async def _in_rollups(self, spec: QuerySpec, choice: Choice) -> _Found:
        reading = await self._reader.read(spec, choice.parts)
        return _Found(
            table.of_cells(spec, reading.cells, self._clock()),
            Resting.of_rollups(reading, choice.why),
            reading.fresh.version,
            partial(self._reader.version, spec, choice.parts),
        )

    async def _in_lake(self, spec: QuerySpec, choice: Choice, values: Sequence[Values] | None) -> _Found:
        lake = self._lake
        if lake is None:
            raise NoSource(f"This question needs the lake, which is not there: {choice.why}.", _WITHOUT_LAKE)
        if not lake.can_answer(spec):
            names = ", ".join(spec.metrics)
            raise InvalidParameter("metrics", f"{names} cannot be had together so: {choice.why}.", _WITHOUT_LAKE)
        # Without dimensions all periods are filled in and ordered here.
        asked = spec if spec.dimensions else replace(spec, offset=0, limit=MAX_ROWS)
        result = await lake.run(asked, values=values)
        fresh = await self._reader.freshness(spec, result.tables)
        return _Found(
            table.of_rows(spec, result.rows, self._clock()),
            Resting.of_lake(result, fresh, choice.why),
            result.fingerprint,
            partial(lake.fingerprint, spec),
        )

    async def _in_window(self, spec: QuerySpec, choice: Choice) -> _Found:
        assert self._live is not None  # noqa: S101 - the planner chose it
        now = self._clock()
        result = await self._live.query(spec)
        # Of what is said there, the window's own numbers need the last arrival and silence alone.
        fresh = await self._fresh.get(spec.tenant.app_id, partial(self._reader.freshness, spec, ()))
        fresh = msgspec.structs.replace(fresh, as_of=now)
        return _Found(table.of_rows(spec, result.rows, now), Resting.of_live(result, fresh, choice.why))


def _earlier(spec: QuerySpec) -> QuerySpec | None:
    """The question about the range that is compared with: all of its rows, whatever the page."""
    if spec.compare_range is None:
        return None
    return replace(spec, range=spec.compare_range, compare_range=None, window=None, offset=0)


async def _versions(each: Sequence[Version]) -> str:
    return " ".join([await one() for one in each])
