"""Who is in a cohort, since when, and on which days they were there: temporary tables named `cohort_…`.

Ids that a visitor without cookies has for one day cannot come back: people known by nothing else are left out.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb

from eventmill.analysis.cohorts import CohortDefinition
from eventmill.analysis.filter_sql import to_sql
from eventmill.analysis.filters import Sql
from eventmill.analysis.local_days import LOCAL_DAYS, Calendar
from eventmill.contracts.visitors import DAILY_ACTOR_PREFIX

# Imported history may be as old; before, a zone's local dates can lie outside the calendar. No table of days starts
# earlier, and nothing that happened before is part of a cohort.
_CALENDAR_BEGINS = datetime(1, 1, 3, tzinfo=UTC)
IN_RANGE = "local_date >= coalesce(?, local_date) and local_date < coalesce(?, local_date + 1)"


def use_local_days(
    connection: duckdb.DuckDBPyConnection, calendar: Calendar, app_id: str, complete_through: datetime
) -> None:
    """`local_days` from the first event ever to the last."""
    [(first, last)] = connection.execute(
        "select epoch_us(min(event_time)), epoch_us(max(event_time)) from"
        " (select event_time from actor_events where app_id = $app"
        "  union all select first_at from actor_first where app_id = $app)",
        {"app": app_id},
    ).fetchall()
    days = [calendar.local_date(complete_through)]
    days += [calendar.local_date(max(_instant(at), _CALENDAR_BEGINS)) for at in (first, last) if at is not None]
    connection.register("local_day_rows", calendar.table(min(days), max(days)))
    connection.execute(f"create or replace temp table {LOCAL_DAYS} as from local_day_rows")
    connection.unregister("local_day_rows")


def _instant(microseconds: int) -> datetime:
    return datetime.fromtimestamp(0, tz=UTC) + timedelta(microseconds=microseconds)


def use_starts(connection: duckdb.DuckDBPyConnection, definition: CohortDefinition, app_id: str) -> None:
    """Qualifying events, a row per actor and local day."""
    _by_day(connection, "cohort_starts", "actor", to_sql(definition.filter), definition, app_id)


def use_returns(connection: duckdb.DuckDBPyConnection, definition: CohortDefinition, app_id: str) -> str:
    """Days on which members were there, a row per member and local day; returns the relation's name."""
    if definition.returns_by_start_event:
        return "cohort_member_starts"
    condition: Sql = ("true", []) if definition.return_event is None else to_sql(definition.return_event)
    _by_day(connection, "cohort_member_returns", "member", condition, definition, app_id)
    return "cohort_member_returns"


def _by_day(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    key: str,
    condition: Sql,
    definition: CohortDefinition,
    app_id: str,
) -> None:
    """Events by `key`, an actor or the number of a member, and local day."""
    of_members = " inner join cohort_members using (actor)" if key == "member" else ""
    connection.execute(
        f"create or replace temp table {table} as select days.*, local_date, week_no, month_no from"
        f" (select {key}, day_no, count(*) as events, min(event_time) as first_at, max(event_time) as last_at"
        f"  from (select {key}, event_time from actor_events{of_members}"
        f"   where app_id = ? and (? or not is_bot) and {condition[0]}) as events"
        "  asof join local_days on events.event_time >= local_days.starts_at group by all) as days"
        " inner join local_days using (day_no)",
        [app_id, definition.include_bots, *condition[1]],
    )


def use_firsts(connection: duckdb.DuckDBPyConnection, definition: CohortDefinition, app_id: str) -> None:
    """Each actor's first qualifying event ever; of a type alone, `actor_first` knows it beyond raw history."""
    known: Sql = ("", [])
    if definition.only_type is not None:
        kept = " union all select actor, first_at from actor_first where app_id = ? and event_type = ?"
        known = (f"{kept} and (? or is_human)", [app_id, definition.only_type, definition.include_bots])
    connection.execute(
        "create or replace temp table cohort_firsts as"
        " select firsts.*, local_days.* from (select actor, min(first_at) as first_at from"
        f"  (select actor, first_at from cohort_starts{known[0]}) group by actor) as firsts"
        " asof join local_days on firsts.first_at >= local_days.starts_at",
        known[1],
    )


def use_members(connection: duckdb.DuckDBPyConnection, definition: CohortDefinition) -> int:
    """Actors with enough events in range; returns how many more there would be with ids of one day."""
    connection.execute(
        "create or replace temp table cohort_enough as select actor, starts_with(actor, ?) as is_daily from ("
        f" select actor from cohort_starts where {IN_RANGE} group by actor having sum(events) >= ?"
        # One event is enough, and of the first one ever it is known when it was.
        f" union select actor from cohort_firsts where {IN_RANGE} and ? = 1)",
        [DAILY_ACTOR_PREFIX, *range_of(definition), definition.at_least, *range_of(definition), definition.at_least],
    )
    # Numbers are quicker to join by than ids.
    connection.execute(
        "create or replace temp table cohort_members as select actor, row_number() over () as member"
        " from cohort_enough where not is_daily"
    )
    for days in ("starts", "firsts"):
        connection.execute(
            f"create or replace temp table cohort_member_{days} as select * exclude (actor)"
            f" from cohort_{days} inner join cohort_members using (actor)"
        )
    [(daily_visitors,)] = connection.execute("select count(*) from cohort_enough where is_daily").fetchall()
    return int(daily_visitors)


def range_of(definition: CohortDefinition) -> list[Any]:
    """Parameters of `IN_RANGE`."""
    return [definition.start, definition.end]
