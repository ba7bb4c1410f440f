"""Writes rollup rows to Postgres: upserts what differs, deletes what has vanished."""

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import psycopg
import pyarrow as pa
import pyarrow.csv
from psycopg import sql

from analytics_pipeline.lib.calendar import Period
from eventmill.contracts.tables import ROLLUPS


@dataclass(frozen=True, slots=True)
class RollupTable:
    """A table of `rollups`: the columns that identify a row, its other labels, and its numbers."""

    name: str
    keys: Sequence[str]
    labels: Sequence[str]
    numbers: Sequence[str]

    @property
    def columns(self) -> list[str]:
        """All columns that an engine fills; `computed_at` is set here."""
        return [*self.keys, *self.labels, *self.numbers]

    @property
    def has_grain(self) -> bool:
        """Whether rows of several grains share the table."""
        return "grain" in self.keys


METRIC = RollupTable(
    "metric",
    keys=("app_id", "grain", "period_start", "traffic", "dimension", "value_kind", "value"),
    labels=("local_date", "local_hour", "utc_offset_minutes"),
    numbers=("events", "page_views", "users", "visitors", "sessions"),
)
SESSION_METRIC = RollupTable(
    "session_metric",
    keys=("app_id", "grain", "period_start", "traffic", "dimension", "value_kind", "value"),
    labels=("local_date", "local_hour", "utc_offset_minutes"),
    numbers=("sessions_started", "sessions_with_views", "bounces", "views", "events", "duration_seconds"),
)
REVENUE = RollupTable(
    "revenue",
    keys=("app_id", "grain", "period_start", "traffic", "dimension", "value_kind", "value", "currency"),
    labels=("local_date", "local_hour", "utc_offset_minutes"),
    numbers=("events", "revenue"),
)
DAILY_VISITOR = RollupTable(
    "daily_visitor",
    keys=("app_id", "traffic", "period_start"),
    labels=("local_date",),
    numbers=("visitors",),
)
COUNTED_ARRIVAL = RollupTable(
    "counted_arrival",
    keys=("app_id", "period_start", "received_hour"),
    labels=(),
    numbers=("events",),
)


# App, grain (empty where the table has none) and start of a period.
RowPeriod = tuple[str, str, datetime]


@dataclass(frozen=True, slots=True)
class Written:
    """Rows inserted or updated, rows deleted, and how many both are in each period that has any."""

    changed: int
    deleted: int
    by_period: Counter[RowPeriod] = field(default_factory=Counter)


def write(
    connection: psycopg.Connection,
    table: RollupTable,
    rows: pa.Table,
    whole: Sequence[Period],
    computed_at: datetime,
    schema: str = ROLLUPS,
    gone: pa.Table | None = None,
) -> Written:
    """Upsert `rows` where they differ; for the periods in `whole`, delete the rows that `rows` does not have.

    `gone` has the keys of single rows to delete besides.
    """
    incoming = sql.Identifier(f"incoming_{table.name}")
    target = sql.Identifier(schema, table.name)
    columns = sql.SQL(", ").join(map(sql.Identifier, table.columns))
    connection.execute(
        sql.SQL("create temp table {} on commit drop as select {} from {} limit 0").format(incoming, columns, target)
    )
    _copy(connection, sql.SQL("copy {} ({}) from stdin with (format csv)").format(incoming, columns), rows, table)
    changed = _by_period(connection, table, _upsert(table, incoming, target, columns), [computed_at])
    vanished = _delete_vanished(table, incoming, target)
    deleted = _by_period(connection, table, vanished, scope_of(whole)) if whole else Counter()
    connection.execute(sql.SQL("drop table {}").format(incoming))
    if gone is not None and gone.num_rows:
        deleted += _by_period(
            connection, table, _delete_named(table, target), [gone[k].to_pylist() for k in table.keys]
        )
    return Written(changed.total(), deleted.total(), changed + deleted)


def _by_period(
    connection: psycopg.Connection, table: RollupTable, statement: sql.Composed, parameters: Sequence[object]
) -> Counter[RowPeriod]:
    """Execute a statement that changes rows of `old`, and count them by period."""
    grain = sql.SQL("old.grain" if table.has_grain else "'' as grain")
    query = sql.SQL(
        "with touched as ({statement} returning old.app_id, {grain}, old.period_start)"
        " select app_id, grain, period_start, count(*) from touched group by app_id, grain, period_start"
    ).format(statement=statement, grain=grain)
    rows = connection.execute(query, parameters).fetchall()
    return Counter({(app_id, grain, start.astimezone(UTC)): count for app_id, grain, start, count in rows})


def _copy(connection: psycopg.Connection, statement: sql.Composed, rows: pa.Table, table: RollupTable) -> None:
    buffer = io.BytesIO()
    pyarrow.csv.write_csv(rows.select(table.columns), buffer, pyarrow.csv.WriteOptions(include_header=False))
    with connection.cursor().copy(statement) as copy:
        copy.write(buffer.getbuffer())


def _upsert(
    table: RollupTable, incoming: sql.Identifier, target: sql.Identifier, columns: sql.Composed
) -> sql.Composed:
    changing = [*table.labels, *table.numbers]
    return sql.SQL(
        "insert into {target} as old ({columns}, computed_at) select {columns}, %s from {incoming}"
        " on conflict ({keys}) do update set {assignments}, computed_at = excluded.computed_at"
        " where ({old}) is distinct from ({new})"
    ).format(
        target=target,
        incoming=incoming,
        columns=columns,
        keys=sql.SQL(", ").join(map(sql.Identifier, table.keys)),
        assignments=sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in changing),
        old=sql.SQL(", ").join(sql.Identifier("old", name) for name in changing),
        new=sql.SQL(", ").join(sql.Identifier("excluded", name) for name in changing),
    )


def _delete_vanished(table: RollupTable, incoming: sql.Identifier, target: sql.Identifier) -> sql.Composed:
    same_key = sql.SQL(" and ").join(sql.SQL("new.{0} = old.{0}").format(sql.Identifier(name)) for name in table.keys)
    grain = sql.SQL("old.grain = scope.grain and") if table.has_grain else sql.SQL("")
    return sql.SQL(
        "delete from {target} as old using unnest(%s::text[], %s::text[], %s::timestamptz[])"
        " as scope (app_id, grain, period_start)"
        " where old.app_id = scope.app_id and {grain} old.period_start = scope.period_start"
        " and not exists (select from {incoming} as new where {same_key})"
    ).format(target=target, incoming=incoming, grain=grain, same_key=same_key)


def _delete_named(table: RollupTable, target: sql.Composable) -> sql.Composed:
    types = {"period_start": "timestamptz"}
    arrays = sql.SQL(", ").join(sql.SQL(f"%s::{types.get(name, 'text')}[]") for name in table.keys)
    same_key = sql.SQL(" and ").join(sql.SQL("gone.{0} = old.{0}").format(sql.Identifier(name)) for name in table.keys)
    keys = sql.SQL(", ").join(map(sql.Identifier, table.keys))
    return sql.SQL("delete from {target} as old using unnest({arrays}) as gone ({keys}) where {same_key}").format(
        target=target, arrays=arrays, keys=keys, same_key=same_key
    )


def scope_of(periods: Sequence[Period]) -> list[list[object]]:
    """Three arrays (app_id, grain, period_start) for `unnest`."""
    return [
        [period.app_id for period in periods],
        [period.grain for period in periods],
        [period.start for period in periods],
    ]
