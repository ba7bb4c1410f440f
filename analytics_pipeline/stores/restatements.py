"""Rows of `rollups.restatement`: every closed period whose numbers change says so, in the transaction that does it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime

import psycopg

from analytics_pipeline.lib.calendar import Period
from analytics_pipeline.lib.period_tables import Cause
from analytics_pipeline.stores.rollups import RowPeriod, Written, scope_of

_SCOPE = "unnest(%s::text[], %s::text[], %s::timestamptz[]) as scope (app_id, grain, period_start)"
# What a period's total counts, and the query that tells it: app, grain, start, number.
_TOTALS = {
    "metric": (
        "events",
        (
            "select app_id, grain, period_start, events as total from rollups.metric"
            " where dimension = 'total' and traffic = 'all'"
        ),
    ),
    "sessions": (
        "sessions",
        (
            "select app_id, grain, period_start, sessions_started as total from rollups.session_metric"
            " where dimension = 'total' and traffic = 'all'"
        ),
    ),
    "goals": (
        "events",
        (
            "select app_id, 'day' as grain, period_start, sum(events)::bigint as total from rollups.goal_metric"
            " where dimension = 'total' and traffic = 'all' group by app_id, period_start"
        ),
    ),
}
_Key = tuple[str, str, datetime]


class Watched:
    """Counts the rows that were changed in each period."""

    def __init__(self) -> None:
        self.rows: Counter[RowPeriod] = Counter()

    def wrote(self, written: Written) -> Written:
        """Note what `rollups.write` did, and hand it on."""
        self.rows += written.by_period
        return written

    def changed(self, key: _Key) -> int:
        """Rows changed in a period, those of tables without a grain too."""
        return self.rows[key] + self.rows[key[0], "", key[2]]


@contextmanager
def watch(
    connection: psycopg.Connection,
    table_name: str,
    periods: Sequence[Period],
    now: datetime,
    cause: Cause | None = None,
) -> Iterator[Watched]:
    """Write a restatement for each of `periods` that was closed before and has other numbers after the block.

    Use it inside the transaction that writes, before `periods.mark_computed`: the cause is that of the dirty period,
    and `cause` (by default late events) where it was not dirty. The first computation of a period is no restatement.
    """
    watched = Watched()
    causes = _closed(connection, table_name, periods, cause or "late_events")
    before = _totals(connection, table_name, list(causes))
    yield watched
    changed = [key for key in causes if watched.changed(key)]
    after = _totals(connection, table_name, changed)
    dates: dict[_Key, date] = {(one.app_id, one.grain, one.start): one.local_date for one in periods}
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into rollups.restatement (app_id, table_name, grain, period_start, local_date, metric,"
            " value_before, value_after, rows_changed, cause, restated_at)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                (
                    *(key[0], table_name, key[1], key[2], dates[key], _TOTALS[table_name][0]),
                    *(before.get(key), after.get(key), watched.changed(key), causes[key], now),
                )
                for key in changed
            ],
        )


def _closed(
    connection: psycopg.Connection, table_name: str, periods: Sequence[Period], cause: Cause
) -> dict[_Key, Cause]:
    """Those of `periods` whose final numbers were there already, and why they change."""
    rows = connection.execute(
        "select app_id, grain, period_start, case when dirty_since is null then %s else cause end"
        f" from rollups.periods join {_SCOPE} using (app_id, grain, period_start)"
        " where table_name = %s and closed_at is not null",
        [cause, *scope_of(periods), table_name],
    ).fetchall()
    return {(app_id, grain, start.astimezone(UTC)): why for app_id, grain, start, why in rows}


def _totals(connection: psycopg.Connection, table_name: str, keys: Sequence[_Key]) -> dict[_Key, int]:
    if not keys:
        return {}
    rows = connection.execute(
        f"select app_id, grain, period_start, total from ({_TOTALS[table_name][1]}) as totals"
        f" join {_SCOPE} using (app_id, grain, period_start)",
        [list(column) for column in zip(*keys, strict=True)],
    ).fetchall()
    return {(app_id, grain, start.astimezone(UTC)): int(total) for app_id, grain, start, total in rows}
