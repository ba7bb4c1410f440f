"""Which rows of the lake are copies of an event that was stored before them, found once for each home hour.

All copies of an event share their home hour, and an hour with the same files has the same copies for ever: so they are
found once for each hour and set of its files, and kept. Mostly there are none, and then no question has to look at ids.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import groupby

import pyarrow as pa
import structlog

from eventmill.errors import LakeError
from query_service.lake.errors import LakeBusy, LakeFailure, LakeLimit
from query_service.lake.jobs import Job
from query_service.lake.pool import LakePool
from query_service.lake.snapshots import HomeHour, LakeSnapshots

logger = structlog.get_logger(__name__)
# Hours that one job looks through: so many files, so many rows.
_MOST_HOURS, _MOST_ROWS = 200, 2_000_000
# From so many rows on an hour that grows is looked through by what is new in it; beyond, its ids take too much memory.
_LEAST_GROWING, _MOST_GROWING = 50_000, 8_000_000
# The pause before the next look for hours that nobody has asked about yet.
_WARM_SECONDS = 5.0
# The turn of what nobody waits for: no app's id begins like this.
BACKGROUND = "-background"
_SCHEMA = pa.schema([("place", pa.int64())])
_NONE = (frozenset[str](), pa.array([], pa.int64()))
Homes = Mapping[HomeHour, frozenset[str]]


class HourCopies:
    """Places of copies by home hour; of hours that are no more, nothing is kept."""

    def __init__(self, pool: LakePool, snapshots: LakeSnapshots, *, least_growing: int = _LEAST_GROWING) -> None:
        self._pool, self._snapshots, self._least_growing = pool, snapshots, least_growing
        self._known: dict[HomeHour, tuple[frozenset[str], pa.Array]] = {}
        self._finding = asyncio.Lock()

    async def excluded(self, homes: Homes, app_id: str) -> pa.Table:
        """Rows (place) of these hours that are copies. Raises as `LakePool.run`."""
        if self._unknown(homes):
            async with self._finding:  # whoever asks next finds them known
                for home, paths in self._unknown(homes).items():
                    await self._follow(home, paths, app_id)
                for part in self._parts(self._unknown(homes)):
                    await self._find(part, app_id)
        found = [places for home in homes if len(places := self._known.get(home, _NONE)[1])]
        return pa.table([pa.chunked_array(found, pa.int64())], schema=_SCHEMA)

    async def keep_warm(self) -> None:
        """Find the copies of hours that nobody has asked about, the newest first, for as long as the service runs."""
        while True:
            await asyncio.sleep(_WARM_SECONDS)
            try:
                await self._warm()
            except (LakeBusy, LakeFailure, LakeLimit, LakeError) as error:
                logger.warning("copies in the lake were not looked for", error=str(error))

    async def _warm(self) -> None:
        await self._snapshots.refresh()
        homes = self._snapshots.homes()
        for home in [home for home in self._known if home not in homes]:
            del self._known[home]
        # The newest hour still grows: whoever asks about it looks then.
        settled = {home: homes[home] for home in sorted(homes, reverse=True)[1:]}
        for part in self._parts(self._unknown(settled)):
            if not self._pool.idle:
                return
            with suppress(LakeBusy):
                await self._find(part, BACKGROUND)

    async def _follow(self, home: HomeHour, paths: frozenset[str], app_id: str) -> None:
        """Know an hour that got files, where none of its new rows is a copy."""
        known = self._known.get(home)
        if known is None or not known[0] < paths:
            return
        if not self._least_growing <= self._snapshots.rows_of(home) <= _MOST_GROWING:
            return
        files = {"old": sorted(known[0]), "new": sorted(paths - known[0])}
        _, body = await self._pool.run(Job("new_copies", app_id, files))
        if not body["is_suspicious"]:
            self._known[home] = (paths, known[1])

    def _unknown(self, homes: Homes) -> Homes:
        return {home: paths for home, paths in homes.items() if self._known.get(home, (None,))[0] != paths}

    def _parts(self, homes: Homes) -> list[Homes]:
        """Hours by jobs."""
        parts: list[dict[HomeHour, frozenset[str]]] = []
        rows = 0
        for home, paths in homes.items():
            rows += self._snapshots.rows_of(home)
            if not parts or rows > _MOST_ROWS or len(parts[-1]) >= _MOST_HOURS:
                parts.append({})
                rows = self._snapshots.rows_of(home)
            parts[-1][home] = paths
        return [*parts]

    async def _find(self, homes: Homes, app_id: str) -> None:
        """Look through hours whose files are these; an hour that has had one file with one row is looked at too."""
        paths = sorted(path for files in homes.values() for path in files)
        job = Job("copies", app_id, {"paths": paths}, max_rows=max(100_000, sum(map(self._snapshots.rows_of, homes))))
        table, _ = await self._pool.run(job)
        found = _by_home(table)
        for home, files in homes.items():
            self._known[home] = (files, pa.array(found.get(home, ()), pa.int64()))


def _by_home(table: pa.Table) -> dict[HomeHour, Sequence[int]]:
    rows = sorted(zip(*(table[name].to_pylist() for name in ("event_date", "event_hour", "place")), strict=True))
    return {home: [place for *_, place in group] for home, group in groupby(rows, key=lambda row: (row[0], row[1]))}
