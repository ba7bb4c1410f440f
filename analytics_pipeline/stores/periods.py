"""`rollups.periods`: the one place that knows which periods are dirty, and at which lake version each was computed."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import psycopg

from analytics_pipeline.lib import period_tables
from analytics_pipeline.lib.calendar import Period
from analytics_pipeline.lib.period_tables import Cause
from analytics_pipeline.stores.rollups import scope_of

# Any constant that nothing else locks.
_CHANGING = 0x70_65_72_69_6F_64
# A period that is dirty for two causes names the stronger: that events are late goes without saying.
_CAUSE = "case when old.dirty_since is null or old.cause = 'late_events' then excluded.cause else old.cause end"
# Whether somebody asked for a period anew in a transaction that the refresh did not see when it began (`lock`).
_DOUBTED = (
    "(old.doubted_by is not null and not coalesce(pg_visible_in_snapshot("
    "old.doubted_by, nullif(current_setting('eventmill.began', true), '')::pg_snapshot), true))"
)
_SCOPE = "unnest(%s::text[], %s::text[], %s::timestamptz[]) as scope (app_id, grain, period_start)"


def zones(connection: psycopg.Connection, *, hold: bool = False) -> dict[str, ZoneInfo]:
    """Time zone of every app that is not being deleted; with `hold` nobody changes one until the transaction ends."""
    query = "select app_id, time_zone from control.app where deleted_at is null"
    rows = connection.execute(f"{query} for share" if hold else query).fetchall()
    return {app_id: ZoneInfo(name) for app_id, name in rows}


def week_starts(connection: psycopg.Connection) -> dict[str, int]:
    """ISO weekday on which each app's weeks begin."""
    return dict(connection.execute("select app_id, week_start from control.app where deleted_at is null").fetchall())


def apps_with_goals(connection: psycopg.Connection) -> frozenset[str]:
    """Apps that have saved a goal."""
    return frozenset(app_id for (app_id,) in connection.execute("select distinct app_id from control.goal").fetchall())


def above_floor(connection: psycopg.Connection, periods: Sequence[Period]) -> list[Period]:
    """Those of `periods` whose raw events are all in the lake: what starts before its app's floor keeps its numbers.

    After `zones(hold=True)` that stays so until the transaction ends.
    """
    floors: dict[str, datetime] = dict(
        connection.execute("select app_id, lake_floor from control.app where lake_floor is not null").fetchall()
    )
    return [one for one in periods if one.app_id not in floors or one.start >= floors[one.app_id]]


def mark_dirty(
    connection: psycopg.Connection,
    table_name: str,
    periods: Sequence[tuple[Period, int]],
    wanted_version: int,
    now: datetime,
    cause: Cause = "late_events",
) -> None:
    """Ask for `periods` at `wanted_version` of the lake; each comes with the number of events that it lacks.

    They lag behind since the instant up to which the lake was looked at before, from their start where it never was.
    """
    if not periods:
        return
    connection.execute(
        "insert into rollups.periods as old (table_name, app_id, grain, period_start, period_end, local_date,"
        " wanted_version, dirty_since, late_pending, cause)"
        " select %s, app_id, grain, period_start, period_end, local_date, %s,"
        "  coalesce((select complete_through from rollups.lake_progress), least(period_start, %s)),"
        "  case when period_end + %s <= %s then events else 0 end, %s"
        " from unnest(%s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[], %s::date[], %s::bigint[])"
        "  as dirty (app_id, grain, period_start, period_end, local_date, events)"
        " on conflict (table_name, app_id, grain, period_start) do update set"
        "  wanted_version = greatest(old.wanted_version, excluded.wanted_version),"
        "  dirty_since = coalesce(old.dirty_since, excluded.dirty_since),"
        "  late_pending = old.late_pending + excluded.late_pending,"
        f"  cause = {_CAUSE}"
        # A refresh may have read this very commit before the commit was noticed.
        " where old.computed_version is null or old.computed_version < excluded.wanted_version",
        [
            table_name,
            wanted_version,
            now,
            period_tables.closes_after(table_name),
            now,
            cause,
            *scope_of([period for period, _ in periods]),
            [period.end for period, _ in periods],
            [period.local_date for period, _ in periods],
            [events for _, events in periods],
        ],
    )


def distrust(
    connection: psycopg.Connection,
    table_name: str,
    periods: Sequence[Period],
    now: datetime,
    cause: Cause = "late_events",
) -> None:
    """Ask for `periods` to be computed again whatever version they claim to have.

    A refresh that is going on may rest on what was wrong: the periods that it computes stay dirty.
    """
    connection.execute(
        "insert into rollups.periods as old (table_name, app_id, grain, period_start, period_end, local_date,"
        " wanted_version, dirty_since, cause, doubted_by)"
        " select %s, app_id, grain, period_start, period_end, local_date, 0, %s, %s, pg_current_xact_id()"
        " from unnest(%s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[], %s::date[])"
        "  as wrong (app_id, grain, period_start, period_end, local_date)"
        " on conflict (table_name, app_id, grain, period_start) do update set"
        "  computed_version = null, dirty_since = coalesce(old.dirty_since, excluded.dirty_since),"
        "  doubted_by = excluded.doubted_by,"
        f"  cause = {_CAUSE}",
        [
            table_name,
            now,
            cause,
            *scope_of(periods),
            [period.end for period in periods],
            [period.local_date for period in periods],
        ],
    )


def mark_closing(connection: psycopg.Connection, table_name: str, now: datetime) -> int:
    """Make periods dirty that have just closed: their final numbers are computed from the lake once more."""
    return connection.execute(
        "update rollups.periods set dirty_since = %s, cause = 'late_events'"
        " where table_name = %s and closed_at is null and dirty_since is null and period_end + %s <= %s",
        [now, table_name, period_tables.closes_after(table_name), now],
    ).rowcount


def mark_redefined(
    connection: psycopg.Connection, table_name: str, grain: str, definition_version: str, now: datetime
) -> int:
    """Make periods dirty that were computed by another definition, where their raw events are still in the lake."""
    return connection.execute(
        "update rollups.periods set dirty_since = %s, cause = 'definition'"
        " where table_name = %s and grain = %s and dirty_since is null"
        "  and definition_version is distinct from %s and computed_version is not null and not exists"
        "  (select from control.app where app.app_id = periods.app_id and lake_floor > period_start - %s"
        "   and (grain not in ('week', 'month') or lake_floor >= period_end))",
        [now, table_name, grain, definition_version, period_tables.needs_before(table_name)],
    ).rowcount


def alone(connection: psycopg.Connection) -> None:
    """Keep others from changing rows of `rollups.periods` until the transaction ends.

    Sensor and refreshes change many rows, each in an order of its own: side by side they would deadlock.
    """
    connection.execute("select pg_advisory_xact_lock(%s)", [_CHANGING])


def lock(connection: psycopg.Connection, table_name: str, periods: Sequence[Period]) -> None:
    """Keep others from refreshing `periods` until the transaction ends; taken in one order, so nobody deadlocks.

    A run takes all apps, so a lock per start does, and Postgres has room for few thousand. Call it before anything is
    read: what others ask for from now on (`distrust`), `mark_computed` does not clear.
    """
    connection.execute(
        "select pg_advisory_xact_lock(key) from (select distinct"
        " hashtextextended(concat_ws('|', %s::text, grain, period_start), 0) as key from "
        f"{_SCOPE} order by 1) as keys",
        [table_name, *scope_of(periods)],
    )
    connection.execute(
        "select set_config('eventmill.began', pg_current_snapshot()::text, true), set_config('eventmill.through',"
        " coalesce((select complete_through::text from rollups.lake_progress), ''), true)"
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
    *,
    is_final: bool = True,
    through: datetime | None = None,
) -> None:
    """Note that `periods` hold lake version `version`; clears those that wanted no newer one.

    Not those that somebody has asked for since the transaction's `lock`, and none unless `is_final`. What stays dirty
    lags behind since `through`, by default the instant up to which the lake was known to be complete at the `lock`.
    """
    connection.execute(
        f"update rollups.periods as old set computed_version = case when not {_DOUBTED} then %s::bigint end,"
        "  computed_at = %s, definition_version = %s, doubted_by = null,"
        "  closed_at = case when period_end + %s <= %s then coalesce(closed_at, %s) end,"
        f"  dirty_since = case when dirty_since is null or {_DOUBTED} then dirty_since"
        "  when wanted_version > %s or not %s then"
        "   greatest(dirty_since, coalesce(%s, nullif(current_setting('eventmill.through', true), '')::timestamptz))"
        "   end,"
        "  late_pending = case when wanted_version > %s then late_pending else 0 end"
        f" from {_SCOPE} where table_name = %s"
        "  and (old.app_id, old.grain, old.period_start) = (scope.app_id, scope.grain, scope.period_start)",
        [
            version,
            now,
            definition_version,
            period_tables.closes_after(table_name),
            now,
            now,
            version,
            is_final,
            through,
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
