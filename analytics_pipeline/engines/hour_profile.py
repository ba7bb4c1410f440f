"""Counts an hour's events by its minutes, from the lake: what a running hour of a later week is compared with."""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from analytics_pipeline.engines import duckdb_sql
from analytics_pipeline.engines.files import files_meeting
from analytics_pipeline.lib.calendar import Period
from eventmill.analysis import relations
from eventmill.lake import Snapshot

MINUTES = 60


@dataclass(frozen=True, slots=True)
class Profile:
    """Events, and page and screen views of people, in each minute of an hour."""

    hour: Period
    events: list[int]
    page_views: list[int]


def profiles(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot, hours: Sequence[Period]) -> list[Profile]:
    """Profiles of `hours`, which should lie close together: the files of the whole range are read."""
    if not hours:
        return []
    start, end = min(hour.start for hour in hours), max(hour.end for hour in hours)
    relations.prepare(connection)
    relations.use_lake(connection, files_meeting(snapshot, start, end))
    for name in ("copies", "unique_events"):
        connection.execute(relations.statement(name))
    duckdb_sql.want(connection, list(enumerate(hours)))
    found = [Profile(hour, [0] * MINUTES, [0] * MINUTES) for hour in hours]
    query = duckdb_sql.statement("minute_counts", "watch")
    for period_id, minute, events, page_views in connection.execute(query).fetchall():
        found[period_id].events[minute] += events
        found[period_id].page_views[minute] += page_views
    return found
