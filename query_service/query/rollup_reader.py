"""Reads the rollups: the cells of a question and how fresh they are, in one round trip."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from eventmill.control.definitions import UnknownDefinitionError
from query_service.query import rollup_sql
from query_service.query.errors import InvalidParameter
from query_service.query.executor import Executor
from query_service.query.planner import Part
from query_service.query.rollup_rows import Cells
from query_service.query.spec import QuerySpec


class Fresh(msgspec.Struct, frozen=True):
    """How fresh the periods in range are, and `version`, which changes whenever one of them is computed.

    `has_daily_visitors`: the question counts visitors over several days, and knows some by an id of one day alone.
    """

    as_of: datetime
    complete_through: datetime | None
    late_pending: int
    definition_version: str | None
    is_mixed: bool
    last_event_at: datetime | None
    silent_since: datetime | None
    version: str
    goal_id: str | None
    has_daily_visitors: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """Cells and freshness as of one instant."""

    cells: Cells
    fresh: Fresh


_FRESH = msgspec.json.Decoder(Fresh)


class RollupReader:
    """Raises TooCoarse where the rollups do not have the answer, UnknownDefinitionError for an unknown goal."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    async def read(self, spec: QuerySpec, parts: Sequence[Part]) -> Reading:
        """The cells of `parts`, which cover the question's range."""
        asked = rollup_sql.statement(spec, parts)
        rows = await self._executor.tuples(asked.text, asked.values)
        fresh = _fresh(rows, spec)
        if len(rows) > rollup_sql.MAX_READ:
            rule = "A shorter date_range, a coarser granularity, or a filter."
            raise InvalidParameter("granularity", f"The answer is made of more than {rollup_sql.MAX_READ} rows.", rule)
        by_part: Mapping[int, list[Sequence[Any]]] = defaultdict(list)
        for row in rows:
            by_part[row[0]].append(row)
        cells = Cells()
        for number, part in enumerate(parts):
            cells.add(spec, part, by_part[number])
        cells.finish(spec, parts)
        return Reading(cells, fresh)

    async def freshness(self, spec: QuerySpec, tables: Sequence[str]) -> Fresh:
        """How fresh the days of the range are in these tables of rollups.periods."""
        asked = rollup_sql.freshness(spec, tables)
        return _fresh(await self._executor.tuples(asked.text, asked.values), spec)

    async def version(self, spec: QuerySpec, parts: Sequence[Part]) -> str:
        """The version that `read` would find now."""
        asked = rollup_sql.version(spec, parts)
        [(version,)] = await self._executor.tuples(asked.text, asked.values)
        return str(version)


def _fresh(rows: Sequence[Sequence[Any]], spec: QuerySpec) -> Fresh:
    text = next(row[4] for row in rows if row[3] == rollup_sql.FRESHNESS)
    fresh = _FRESH.decode(text)
    if spec.goal is not None and fresh.goal_id is None:
        raise UnknownDefinitionError(f"There is no goal {spec.goal!r}.")
    return fresh
