"""`rollups.periods`: the one place that knows which periods are dirty, and at which lake version each was computed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from analytics_pipeline.lib.calendar import CLOSING_DELAY, Period
from analytics_pipeline.stores.rollups import scope_of

# Any constant that nothing else locks.
_CHANGING = 0x70_65_72_69_6F_64
_SCOPE = "unnest(%s::text[], %s::text[], %s::timestamptz[]) as scope (app_id, grain, period_start)"


@dataclass(frozen=True, slots=True)
class DirtyPeriod:
    """A period whose rollup lags behind the lake. `computed_at` is None where it never was computed."""

    table_name: str
    app_id: str
    grain: str
    start: datetime
    end: datetime
    local_date: Any
    wanted_version: int
    dirty_since: datetime
    computed_at: datetime | None

    def is_open(self, now: datetime) -> bool:
        """Whether events that arrive now are on time for this period."""
        return now < self.end + CLOSING_DELAY


def zones(connection: psycopg.Connection, *, hold: bool = False) -> dict[str, ZoneInfo]:
    """Time zone of every app that is not being deleted; with `hold` nobody changes one until the transaction ends."""
    query = "select app_id, time_zone from control.app where deleted_at is null"
    rows = connection.execute(f"{query} for share" if hold else query).fetchall()
    return {app_id: ZoneInfo(name) for app_id, name in rows}


def mark_dirty(
    connection: psycopg.Connection,
    table_name: str,
    periods: Sequence[tuple[Period, int]],
    wanted_version: int,
    now: datetime,
) -> None:
    """Ask for `periods` at `wanted_version` of the lake; each comes with the number of events that it lacks.

    They lag behind since the instant up to which the lake was looked at before, from their start where it never was.
    """
    if not periods:
        return
    connection.execute(
        "insert into rollups.periods as old (table_name, app_id, grain, period_start, period_end, local_date,"
        " wanted_version, dirty_since, late_pending)"
        " select %s, app_id, grain, period_start, period_end, local_date, %s,"
        "  coalesce((select complete_through from rollups.lake_progress), least(period_start, %s)),"
        "  case when period_end + %s <= %s then events else 0 end"
        " from unnest(%s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[], %s::date[], %s::bigint[])"
        "  as dirty (app_id, grain, period_start, period_end, local_date, events)"
        " on conflict (table_name, app_id, grain, period_start) do update set"
        "  wanted_version = greatest(old.wanted_version, excluded.wanted_version),"
        "  dirty_since = coalesce(old.dirty_since, excluded.dirty_since),"
        "  late_pending = old.late_pending + excluded.late_pending"
        # A refresh may have read this very commit before the commit was noticed.
        " where old.computed_version is null or old.computed_version < excluded.wanted_version",
        [
            table_name,
            wanted_version,
            now,
            CLOSING_DELAY,
            now,
            *scope_of([period for period, _ in periods]),
            [period.end for period, _ in periods],
            [period.local_date for period, _ in periods],
            [events for _, events in periods],
        ],
    )


def distrust(connection: psycopg.Connection, table_name: str, periods: Sequence[Period], now: datetime) -> None:
    """Ask for `periods` to be computed again whatever version they claim to have."""
    connection.execute(
        "insert into rollups.periods as old (table_name, app_id, grain, period_start, period_end, local_date,"
        " wanted_version, dirty_since)"
        " select %s, app_id, grain, period_start, period_end, local_date, 0, %s"
        " from unnest(%s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[], %s::date[])"
        "  as wrong (app_id, grain, period_start, period_end, local_date)"
        " on conflict (table_name, app_id, grain, period_start) do update set"
        "  computed_version = null, dirty_since = coalesce(old.dirty_since, excluded.dirty_since)",
        [
            table_name,
            now,
            *scope_of(periods),
            [period.end for period in periods],
            [period.local_date for period in periods],
        ],
    )


def mark_closing(connection: psycopg.Connection, now: datetime) -> int:
    """Make periods dirty that have just closed: their final numbers are computed from the lake once more."""
    return connection.execute(
        "update rollups.periods set dirty_since = %s"
        " where closed_at is null and dirty_since is null and period_end + %s <= %s",
        [now, CLOSING_DELAY, now],
    ).rowcount


def mark_redefined(connection: psycopg.Connection, definition_version: str, now: datetime) -> int:
    """Make periods dirty that were computed by another definition."""
    return connection.execute(
        "update rollups.periods set dirty_since = %s"
        " where dirty_since is null and definition_version is distinct from %s and computed_version is not null",
        [now, definition_version],
    ).rowcount


def dirty(connection: psycopg.Connection) -> list[DirtyPeriod]:
    """Every dirty period, oldest first."""
    rows = connection.execute(
        "select table_name, app_id, grain, period_start, period_end, local_date, wanted_version, dirty_since,"
        " computed_at from rollups.periods join control.app using (app_id)"
        " where dirty_since is not null and deleted_at is null order by period_start"
    ).fetchall()
    return [DirtyPeriod(*row) for row in rows]


def alone(connection: psycopg.Connection) -> None:
    """Keep others from changing rows of `rollups.periods` until the transaction ends.

    Sensor and refreshes change many rows, each in an order of its own: side by side they would deadlock.
    """
    connection.execute("select pg_advisory_xact_lock(%s)", [_CHANGING])


def lock(connection: psycopg.Connection, table_name: str, periods: Sequence[Period]) -> None:
    """Keep others from refreshing `periods` until the transaction ends; taken in one order, so nobody deadlocks.

    A run takes all apps, so a lock per start does, and Postgres has room for few thousand.
    """
    connection.execute(
        "select pg_advisory_xact_lock(key) from (select distinct"
        " hashtextextended(concat_ws('|', %s::text, grain, period_start), 0) as key from "
        f"{_SCOPE} order by 1) as keys",
        [table_name, *scope_of(periods)],
    )


def computed_versions(
    connection: psycopg.Connection, table_name: str, periods: Sequence[Period]
) -> dict[tuple[str, str, datetime], int | None]:
    """Lake version at which each of `periods` was computed; periods never asked for are missing."""
    rows = connection.execute(
        "select app_id, grain, period_start, computed_version from rollups.periods"
        f" join {_SCOPE} using (app_id, grain, period_start) where table_name = %s",
        [*scope_of(periods), table_name],
    ).fetchall()
    return {(app_id, grain, start): version for app_id, grain, start, version in rows}


def mark_computed(
    connection: psycopg.Connection,
    table_name: str,
    periods: Iterable[Period],
    version: int,
    definition_version: str,
    now: datetime,
) -> None:
    """Note that `periods` hold lake version `version`; clears those that wanted no newer one."""
    connection.execute(
        "update rollups.periods as old set computed_version = %s, computed_at = %s, definition_version = %s,"
        "  closed_at = case when period_end + %s <= %s then coalesce(closed_at, %s) end,"
        "  dirty_since = case when wanted_version > %s then dirty_since end,"
        "  late_pending = case when wanted_version > %s then late_pending else 0 end"
        f" from {_SCOPE} where table_name = %s"
        "  and (old.app_id, old.grain, old.period_start) = (scope.app_id, scope.grain, scope.period_start)",
        [
            version,
            now,
            definition_version,
            CLOSING_DELAY,
            now,
            now,
            version,
            version,
            *scope_of(list(periods)),
            table_name,
        ],
    )


def add_missing(connection: psycopg.Connection, table_name: str, periods: Sequence[Period], version: int) -> None:
    """Make rows for periods that turned out to hold events before any commit's note named them."""
    connection.execute(
        "insert into rollups.periods (table_name, app_id, grain, period_start, period_end, local_date, wanted_version)"
        " select %s, app_id, grain, period_start, period_end, local_date, %s"
        " from unnest(%s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[], %s::date[])"
        "  as found (app_id, grain, period_start, period_end, local_date) on conflict do nothing",
        [
            table_name,
            version,
            *scope_of(periods),
            [period.end for period in periods],
            [period.local_date for period in periods],
        ],
    )


def noticed_version(connection: psycopg.Connection) -> int:
    """Version of the lake up to which every commit was turned into dirty periods."""
    row = connection.execute("select lake_version from rollups.lake_progress").fetchone()
    return 0 if row is None else int(row[0])


def note_progress(
    connection: psycopg.Connection, version: int, complete_through: datetime | None, now: datetime
) -> None:
    """Note how far the lake was looked at; `complete_through` never goes back."""
    connection.execute(
        "insert into rollups.lake_progress as old (lake_version, complete_through, updated_at) values (%s, %s, %s)"
        " on conflict (only_row) do update set lake_version = excluded.lake_version,"
        "  complete_through = greatest(old.complete_through, excluded.complete_through),"
        "  updated_at = excluded.updated_at",
        [version, complete_through, now],
    )
