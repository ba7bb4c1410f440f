"""Runs a plan against Postgres: its rows and how fresh they are, in one snapshot."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString, TypeVar
from zoneinfo import ZoneInfo

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from query_service.prepared import PreparedPool
from query_service.query.errors import UnknownApp
from query_service.query.model import Tenant
from query_service.query.sql import Plan

# Complete up to where the lake is, unless a period of the range waits to be computed again: then up to where its
# first new event came in. `least` skips nulls, so an unknown lake must be told apart.
_FRESHNESS: LiteralString = """
    with touched as (
        select table_name, dirty_since, late_pending, definition_version, period_start, period_end
        from rollups.periods
        where app_id = %(app_id)s and grain = %(grain)s and table_name = any(%(tables)s)
            and period_start < %(end)s and period_end > %(start)s
    ),
    by_table as (
        select min(dirty_since) as dirty_since, sum(late_pending) as late_pending,
            max(definition_version) as definition_version,
            count(distinct definition_version) > 1 as is_mixed, table_name
        from touched
        group by table_name
    ),
    last_event as (
        select last_received_at as last_event_at from rollups.ingest_accounting
        where app_id = %(app_id)s order by hour desc limit 1
    )
    select now() as as_of,
        (select case when complete_through is not null
            then least(complete_through, (select min(dirty_since) from by_table)) end
        from rollups.lake_progress) as complete_through,
        coalesce(max(late_pending), 0)::bigint as late_pending,
        string_agg(definition_version, '+' order by table_name) as definition_version,
        coalesce(bool_or(is_mixed), false) as is_mixed,
        (select last_event_at from last_event) as last_event_at,
        (select silent_since from rollups.silence where app_id = %(app_id)s
            and silent_since >= (select last_event_at from last_event)) as silent_since,
        %(grain)s in ('week', 'month') and exists (
            select from touched
            inner join rollups.daily_visitor as daily on daily.period_start >= touched.period_start
                and daily.period_start < touched.period_end
            where touched.period_start >= %(start)s and daily.app_id = %(app_id)s and daily.traffic = 'human'
        ) as has_daily_visitors
    from by_table
"""
_TENANTS: LiteralString = """
    select app_id, name, time_zone, week_start, lake_floor, last_event_at,
        (select min(local_date) from rollups.periods
            where periods.table_name = 'metric' and periods.app_id = app.app_id and grain = 'day') as first_day,
        (select silent_since from rollups.silence
            where silence.app_id = app.app_id and silent_since >= last_event_at) as silent_since
    from control.app
    left join lateral (
        select last_received_at as last_event_at from rollups.ingest_accounting
        where ingest_accounting.app_id = app.app_id order by hour desc limit 1
    ) as arrived on true
    where app_id = any(%(app_ids)s) and deleted_at is null order by app_id
"""
_PROBE: LiteralString = "select from marts.daily_metrics limit 0"
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Freshness:
    """When an answer was computed, what it contains, and by which definitions; instants in UTC."""

    as_of: datetime
    complete_through: datetime | None
    late_pending: int
    definition_version: str | None
    is_mixed: bool
    # Arrival of the app's last event; the same again where the app usually sends events and has fallen silent.
    last_event_at: datetime | None = None
    silent_since: datetime | None = None
    # Whether weeks or months have visitors who are known by an id of one day alone.
    has_daily_visitors: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """A plan's rows, by column name, and their freshness."""

    rows: Sequence[dict[str, Any]]
    freshness: Freshness


class Executor:
    """Answers plans from a pool of connections, and statements that are asked often from `prepared`.

    Raises psycopg.Error or PoolTimeout where Postgres does not answer.
    """

    def __init__(self, pool: AsyncConnectionPool, prepared: PreparedPool) -> None:
        self._pool, self._prepared = pool, prepared

    async def tenants(self, app_ids: Sequence[str]) -> list[dict[str, Any]]:
        """Rows of those apps that exist, by id: what `apps` shows, and week_start, first_day, lake_floor."""
        return await self._with_connection(lambda connection: _rows(connection, _TENANTS, {"app_ids": list(app_ids)}))

    async def tenant(self, app_id: str) -> Tenant:
        """The app and its time zone. Raises UnknownApp where it does not exist any more."""
        rows = await self.tenants([app_id])
        if not rows:
            raise UnknownApp(app_id)
        more = {name: rows[0][name] for name in ("week_start", "first_day", "lake_floor")}
        return Tenant(app_id, ZoneInfo(rows[0]["time_zone"]), **more)

    async def run(self, plan: Plan) -> Result:
        """Rows and freshness as of one instant: no refresh comes in between."""

        statements = {"freshness": (_FRESHNESS, _freshness_values(plan)), "rows": (plan.text, plan.values)}
        found = await self._with_connection(lambda connection: _in_one_snapshot(connection, statements))
        [freshness] = found["freshness"]
        return Result(found["rows"], Freshness(**freshness))

    async def tuples(self, text: LiteralString, values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """The rows of one statement that is asked often: it is prepared, and planned once per connection."""
        return await self._prepared.rows(text, values)

    async def in_one_snapshot(
        self, statements: Mapping[str, LiteralString], values: Mapping[str, Any]
    ) -> dict[str, list[dict[str, Any]]]:
        """The rows of several statements, by name, as of one instant."""

        asked = {name: (text, values) for name, text in statements.items()}
        return await self._with_connection(lambda connection: _in_one_snapshot(connection, asked))

    async def check(self) -> None:
        """Raise unless Postgres answers and has the marts."""
        await self._with_connection(lambda connection: _rows(connection, _PROBE, {}))

    async def _with_connection(self, use: Callable[[psycopg.AsyncConnection], Awaitable[Found]]) -> Found:
        while True:
            async with self._pool.connection() as connection:
                try:
                    return await use(connection)
                except psycopg.OperationalError:
                    # After a restart of Postgres each pooled connection fails once before it is replaced; where
                    # Postgres stays away, the pool gives none and raises.
                    if not connection.broken:
                        raise


async def _rows(
    connection: psycopg.AsyncConnection, text: LiteralString, values: Mapping[str, Any]
) -> list[dict[str, Any]]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(text, values)
        return await cursor.fetchall()


async def _in_one_snapshot(
    connection: psycopg.AsyncConnection, statements: Mapping[str, tuple[LiteralString, Mapping[str, Any]]]
) -> dict[str, list[dict[str, Any]]]:
    """The rows of each statement, sent in one go: a round trip for all of them."""
    cursors = {name: connection.cursor(row_factory=dict_row) for name in statements}
    try:
        async with connection.pipeline():
            await connection.execute("begin isolation level repeatable read read only")
            for name, (text, values) in statements.items():
                await cursors[name].execute(text, values)
            await connection.execute("commit")
        return {name: await cursor.fetchall() for name, cursor in cursors.items()}
    finally:
        if not connection.broken and connection.info.transaction_status != TransactionStatus.IDLE:
            await connection.rollback()


def _freshness_values(plan: Plan) -> dict[str, Any]:
    start, end = plan.covered
    return {"app_id": plan.app_id, "grain": plan.grain, "tables": list(plan.tables), "start": start, "end": end}
