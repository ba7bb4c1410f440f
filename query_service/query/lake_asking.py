"""How everything that reads the lake asks a worker: files of the moment, without their copies."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from hashlib import blake2b
from typing import Any, TypeVar

import msgspec
import pyarrow as pa

from query_service.lake import frames
from query_service.lake.copies import HourCopies
from query_service.lake.errors import LakeFailure
from query_service.lake.jobs import EventFiles, Job, Task
from query_service.lake.pool import LakePool
from query_service.lake.relations import EXCLUDED
from query_service.lake.snapshots import LakeSnapshots, digest
from query_service.query.cache import AnswerCache, Kept

Found = TypeVar("Found")
Answer = tuple[pa.Table, Mapping[str, Any]]
# What takes long and is short. Rows of questions are kept with their answers (questions.py).
_KEPT: frozenset[Task] = frozenset({"funnel", "retention"})
_KEPT_BYTES, _KEPT_SECONDS = 16 * 1024**2, 600.0


@dataclass(frozen=True, slots=True)
class Asked:
    """A task over some files of one app; `tables` come with it by name."""

    task: Task
    app_id: str
    arguments: Mapping[str, Any]
    events: EventFiles | None = None
    days: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tables: Mapping[str, pa.Table] = field(default_factory=dict)
    max_rows: int = 100_000


class LakeAsking:
    """Asks workers. Raises LakeBusy, LakeLimit, LakeFailure, DefinitionError, LakeError."""

    def __init__(self, pool: LakePool, snapshots: LakeSnapshots, copies: HourCopies, seconds: float = 15.0) -> None:
        self.snapshots = snapshots
        self._pool, self._copies, self._seconds = pool, copies, seconds
        self._answers: AnswerCache[Answer] = AnswerCache(max_bytes=_KEPT_BYTES)

    async def at_last_commits(self, ask: Callable[[datetime | None], Awaitable[Found]]) -> Found:
        """What `ask` finds, which gets the instant up to which the lake is complete.

        It is asked once more where a file was compacted away meanwhile: the next look finds its successor.
        """
        await self.snapshots.refresh()
        try:
            return await ask(self.snapshots.complete_through)
        except LakeFailure:
            await self.snapshots.refresh()
            return await ask(self.snapshots.complete_through)

    async def run(self, asked: Asked) -> Answer:
        """Rows, and what else the task says. Equal tasks over the same files are computed once."""
        given = {**asked.tables, **await self._excluded(asked.events)}
        if asked.task not in _KEPT:
            return await self._computed(asked, given)
        return await self._answers.get(_name(asked, given), partial(self._kept, asked, given))

    async def _kept(self, asked: Asked, given: Mapping[str, pa.Table]) -> Kept[Answer]:
        table, body = await self._computed(asked, given)
        # Files never change, and the answer's name names them: it holds for good.
        return Kept((table, body), "", _same, 1_000 + table.nbytes, _KEPT_SECONDS)

    async def _computed(self, asked: Asked, given: Mapping[str, pa.Table]) -> Answer:
        job = Job(
            asked.task,
            asked.app_id,
            dict(asked.arguments),
            asked.events,
            dict(asked.days),
            tuple(given),
            self._seconds,
            asked.max_rows,
        )
        return await self._pool.run(job, [*given.values()])

    def events(self, app_id: str, start_us: int, end_us: int, event_types: tuple[str, ...] = ()) -> EventFiles:
        """Files of the app's events in `[start_us, end_us)`, microseconds since 1970."""
        return self.snapshots.events(app_id, start_us, end_us).job_files(self.snapshots.identity_paths, event_types)

    async def _excluded(self, events: EventFiles | None) -> dict[str, pa.Table]:
        if events is None:
            return {}
        read = self.snapshots.events(events.app_id, events.start_us, events.end_us)
        excluded = await self._copies.excluded(read.homes, events.app_id)
        return {EXCLUDED: excluded} if excluded.num_rows else {}


async def _same() -> str:
    return ""


def _name(asked: Asked, given: Mapping[str, pa.Table]) -> str:
    """Names everything that an answer is computed from."""
    said = (asked.task, asked.app_id, asked.arguments, asked.events, asked.days, asked.max_rows)
    tables = [f"{name} {blake2b(frames.to_bytes(table)).hexdigest()}" for name, table in sorted(given.items())]
    return digest([msgspec.json.encode(said, order="sorted").decode(), *tables])
