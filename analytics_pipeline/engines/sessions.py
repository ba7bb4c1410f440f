"""Sessions of local days, from the events of these days and of those around them that can change them.

A session lies within two days (49 hours where the clocks change): its run is cut at the local midnight by which the run
is a day old. Whether a run is that old at a midnight shows in the two days before it, because no pause in a run is
longer than a day. An event of a server may join a session that began up to twelve hours before, on the day before: so
everything about the events of a day is known two days before the day before it begins, and everything about the
sessions that begin on it a day after its end.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa

from analytics_pipeline.engines import duckdb_sql, files, identities
from analytics_pipeline.lib import calendar
from analytics_pipeline.lib.calendar import Period
from eventmill.analysis import relations
from eventmill.contracts.schema import INSTANT
from eventmill.lake import Snapshot

FOLDER = "days"
TWO_DAYS, DAY = timedelta(hours=48), timedelta(hours=24)
_LOCAL_DAY = pa.schema(
    [("app_id", pa.string()), ("day_start", INSTANT), ("day_end", INSTANT), ("period_id", pa.int64())]
)


def use_session_events(
    connection: duckdb.DuckDBPyConnection, snapshot: Snapshot, days: Sequence[Period], zones: Mapping[str, ZoneInfo]
) -> None:
    """Make `session_events` the events of `days` with their sessions, and `session_row` these sessions.

    `session_events` has the columns of `actor_events`, `period_id` (the index in `days`), `period_start`, `local_date`,
    `session_key` and `traffic`. `days` may be of several apps; those of one app had best be consecutive.
    """
    around = days_around(days, zones)
    relations.prepare(connection)
    start, end = min(day.start for day, _ in around), max(day.end for day, _ in around)
    relations.use_lake(connection, files.files_meeting(snapshot, start, end))
    relations.use_identities(connection, files.all_files(identities.update(connection, snapshot)))
    relations.use_actor_events(connection)
    find_sessions(connection, days, around)


def find_sessions(
    connection: duckdb.DuckDBPyConnection, days: Sequence[Period], around: Sequence[tuple[Period, int | None]]
) -> None:
    """As `use_session_events`, of the relation `actor_events` that is there; `around` is `days_around(days, …)`."""
    duckdb_sql.want(connection, list(enumerate(days)))
    rows = [
        {"app_id": day.app_id, "day_start": day.start, "day_end": day.end, "period_id": period_id}
        for day, period_id in around
    ]
    connection.register("local_day_rows", pa.Table.from_pylist(rows, schema=_LOCAL_DAY))
    connection.execute("create or replace temp table local_day as from local_day_rows")
    connection.unregister("local_day_rows")
    steps = ("macros", "source_event", "run_event", "event_session", "session_row", "session_event", "session_events")
    duckdb_sql.run(connection, *steps, folder=FOLDER)


def days_around(days: Sequence[Period], zones: Mapping[str, ZoneInfo]) -> list[tuple[Period, int | None]]:
    """Each app's `days` with their index, and without one the local days around and between that have to be read."""
    dates: dict[str, list[date]] = defaultdict(list)
    for day in days:
        dates[day.app_id].append(day.local_date)
    index = {day: number for number, day in enumerate(days)}
    return [
        (day, index.get(day))
        for app_id, of_app in dates.items()
        for day in _between(app_id, zones[app_id], min(of_app), max(of_app))
    ]


def _between(app_id: str, zone: ZoneInfo, first: date, last: date) -> Iterator[Period]:
    start = calendar.day(app_id, zone, first - timedelta(days=1)).start - TWO_DAYS
    return calendar.days_meeting(app_id, zone, start, calendar.day(app_id, zone, last).end + DAY)
