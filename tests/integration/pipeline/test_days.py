"""Days of the lake's day tables, session metrics and revenue equal an independent recomputation."""

import random
from collections import defaultdict
from contextlib import closing
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import psycopg
import pytest

from analytics_pipeline.refresh import Refresher
from analytics_pipeline.refresh_days import refresh_days
from eventmill import warehouse
from eventmill.analysis.day_tables import use_day_table
from eventmill.contracts.visitors import DAILY_ID_PREFIX
from eventmill.control import apps
from eventmill.lake import ACTOR_DAYS, ACTOR_FIRST, SESSION_DAYS, SESSIONS, LakeTable, TableDefinition, lake_directory
from eventmill.settings import Settings
from tests import oracle, session_oracle
from tests.lake_of import NOW, ZONES, Clock, HandMadeLake, event, some_events

pytestmark = pytest.mark.integration
Row = dict[str, Any]
FIRST, LAST = NOW - timedelta(days=3), NOW + timedelta(days=2)


def lake_rows(refresher: Refresher, definition: TableDefinition) -> list[Row]:
    with duckdb.connect() as duck:
        duck.execute("set TimeZone = 'UTC'")
        use_day_table(duck, LakeTable(lake_directory(refresher.settings), definition))
        return duck.sql(f"from {definition.name} order by all").to_arrow_table().to_pylist()


def counted(lake: HandMadeLake, app_id: str) -> list[Row]:
    return [
        row | {"place": row["stream_seq"] * 4096 + row["row_no"]}
        for row in oracle.unique_events(lake.rows)
        if row["app_id"] == app_id
    ]


def without_stitching(events: list[Row]) -> list[Row]:
    """Events whose anonymous ids are never tied to a user: who is behind them is tested elsewhere."""
    return [row if row["user_id"] is None else row | {"anonymous_id": None} for row in events]


def filled(lake: HandMadeLake, seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(3):
        lake.append(without_stitching(some_events(rng, 150, NOW - timedelta(hours=50), NOW)))


def metric_of(sessions: list[Row]) -> tuple[Any, ...]:
    return (
        len(sessions),
        sum(session["views"] > 0 for session in sessions),
        sum(bool(session["is_bounce"]) for session in sessions),
        sum(session["views"] for session in sessions),
        sum(session["events"] for session in sessions),
        pytest.approx(sum(session["duration_seconds"] for session in sessions)),
    )


def test_session_metrics_equal_a_recomputation(
    lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection
) -> None:
    filled(lake, 1)
    refresh_days(refresher, refresher.days(FIRST, LAST))
    expected: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for app_id, zone in ZONES.items():
        for traffic in ("human", "all"):
            for session in session_oracle.sessions(counted(lake, app_id), zone, bots=traffic == "all"):
                page = session["entry_page"]
                cuts = [("total", "total", "")]
                cuts.append(("entry_page", "not_set", "") if page is None else ("entry_page", "value", page[:500]))
                cuts.append(("source", "value", session["source"]))
                for cut in cuts:
                    expected[app_id, session["local_date"], traffic, *cut].append(session)
    rows = connection.execute(
        "select app_id, local_date, traffic, dimension, value_kind, value, sessions_started, sessions_with_views,"
        " bounces, views, events, duration_seconds from rollups.session_metric"
        " where grain = 'day' and dimension in ('total', 'entry_page', 'source')"
    ).fetchall()
    assert {row[:6]: row[6:] for row in rows} == {cell: metric_of(found) for cell, found in expected.items()}


def test_the_hours_of_a_day_add_up_to_its_session_metrics(
    lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection
) -> None:
    filled(lake, 2)
    refresh_days(refresher, refresher.days(FIRST, LAST))
    by_grain = {
        grain: connection.execute(
            "select app_id, local_date, traffic, dimension, value_kind, value, sum(sessions_started), sum(bounces)"
            " from rollups.session_metric where grain = %s group by 1, 2, 3, 4, 5, 6 order by 1, 2, 3, 4, 5, 6",
            [grain],
        ).fetchall()
        for grain in ("hour", "day")
    }
    assert by_grain["hour"] == by_grain["day"]


def test_days_of_actors_equal_a_recomputation(lake: HandMadeLake, refresher: Refresher) -> None:
    filled(lake, 3)
    refresh_days(refresher, refresher.days(FIRST, LAST))
    expected: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for app_id, zone in ZONES.items():
        for row in counted(lake, app_id):
            day = row["event_time"].astimezone(zone).date()
            for cut in [("total", "total", ""), *(cut for cut in oracle._cuts(row, "day") if cut[0] == "page_url")]:
                expected[app_id, day, *cut, session_oracle.actor(row)].append(row)
    found = {
        (row["app_id"], row["local_date"], row["dimension"], row["value_kind"], row["value"], row["actor"]): (
            row["is_user"],
            row["events"],
            row["human_events"],
            row["page_views"],
            row["human_page_views"],
        )
        for row in lake_rows(refresher, ACTOR_DAYS)
        if row["dimension"] in {"total", "page_url"}
    }
    assert found == {
        key: (
            key[-1].startswith("u"),
            len(rows),
            sum(not row["is_bot"] for row in rows),
            sum(session_oracle._is_view(row) for row in rows),
            sum(session_oracle._is_view(row) and not row["is_bot"] for row in rows),
        )
        for key, rows in expected.items()
    }


def test_first_events_of_actors_survive_that_the_events_leave_the_lake(
    lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection
) -> None:
    filled(lake, 4)
    refresh_days(refresher, refresher.days(FIRST, LAST))
    before = lake_rows(refresher, ACTOR_FIRST)
    connection.execute("update control.app set lake_floor = %s", [NOW])
    lake.append([event("late", NOW - timedelta(days=1), user_id="nobody")])
    assert refresh_days(refresher, refresher.days(FIRST, NOW)).periods == []
    assert lake_rows(refresher, ACTOR_FIRST) == before


def test_the_first_event_of_an_actor_is_the_least_of_all_days(lake: HandMadeLake, refresher: Refresher) -> None:
    filled(lake, 5)
    refresh_days(refresher, refresher.days(FIRST, LAST))
    expected: dict[tuple[str, str, str, bool], datetime] = {}
    for app_id in ZONES:
        for row in counted(lake, app_id):
            key = (app_id, session_oracle.actor(row), row["event_type"], not row["is_bot"])
            expected[key] = min(expected.get(key, row["event_time"]), row["event_time"])
    found: dict[tuple[str, str, str, bool], datetime] = {}
    for row in lake_rows(refresher, ACTOR_FIRST):
        key = (row["app_id"], row["actor"], row["event_type"], row["is_human"])
        found[key] = min(found.get(key, row["first_at"]), row["first_at"])
    assert found == expected


def test_days_computed_again_or_one_by_one_have_the_same_rows(lake: HandMadeLake, refresher: Refresher) -> None:
    filled(lake, 6)
    days = refresher.days(FIRST, LAST)
    refresh_days(refresher, days)
    tables = [SESSIONS, ACTOR_DAYS, SESSION_DAYS, ACTOR_FIRST]
    together = [lake_rows(refresher, table) for table in tables]
    for day in {day.local_date for day in days}:
        refresh_days(refresher, [other for other in days if other.local_date == day])
    assert [lake_rows(refresher, table) for table in tables] == together


def test_a_late_event_joins_two_sessions(
    lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection
) -> None:
    midnight = NOW.replace(hour=0, minute=0)
    lake.append(
        [
            event("a", midnight - timedelta(minutes=20), user_id="u"),
            event("b", midnight + timedelta(minutes=20), user_id="u"),
        ]
    )
    days = [day for day in refresher.days(NOW - timedelta(days=1), NOW) if day.app_id == "shop"]
    refresh_days(refresher, days)
    lake.append([event("c", midnight, user_id="u")])
    refresh_days(refresher, days)
    assert [(row["local_date"], row["events"]) for row in lake_rows(refresher, SESSIONS)] == [(date(2026, 5, 11), 3)]


def test_a_new_time_zone_leaves_no_rows_of_the_dates_of_the_old_one(
    settings: Settings, lake: HandMadeLake, refresher: Refresher
) -> None:
    lake.append([event("a", NOW, user_id="u")])
    refresh_days(refresher, refresher.days(NOW, NOW))
    with closing(warehouse.connect(settings)) as connection:
        apps.update_app(connection, "shop", time_zone="Pacific/Kiritimati")
        connection.commit()
    refresh_days(refresher, refresher.days(NOW + timedelta(days=1), NOW + timedelta(days=1)))
    assert [row["local_date"] for row in lake_rows(refresher, SESSIONS)] == [date(2026, 5, 13)]


def test_revenue_goes_to_what_the_session_entered_with(
    lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection
) -> None:
    lake.append(
        [
            event("a", NOW, session_id="s", channel="email"),
            event(
                "b",
                NOW + timedelta(minutes=5),
                session_id="s",
                source="server",
                event_type="paid",
                properties='{"revenue": 5}',
            ),
            event(
                "c", NOW, user_id="u", source="server", event_type="paid", channel="direct", properties='{"revenue": 7}'
            ),
        ]
    )
    refresh_days(refresher, refresher.days(NOW, NOW))
    rows = connection.execute(
        "select value, revenue from rollups.revenue"
        " where grain = 'hour' and dimension = 'channel' and traffic = 'all' order by value"
    ).fetchall()
    assert rows == [("direct", Decimal(7)), ("email", Decimal(5))]


def test_a_day_tells_how_many_visitors_it_knows_by_an_id_of_the_day(
    lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection
) -> None:
    lake.append(
        [
            event("a", NOW, anonymous_id=f"{DAILY_ID_PREFIX}1"),
            event("b", NOW, anonymous_id=f"{DAILY_ID_PREFIX}1", page_url="/again"),
            event("c", NOW, anonymous_id=f"{DAILY_ID_PREFIX}2", is_bot=True),
            event("d", NOW, anonymous_id="kept"),
            event("e", NOW - timedelta(days=1), anonymous_id="kept"),
        ]
    )
    days = refresher.days(NOW - timedelta(days=1), NOW)
    refresh_days(refresher, days)
    query = "select local_date, traffic, visitors from rollups.daily_visitor where app_id = 'shop' order by traffic"
    assert connection.execute(query).fetchall() == [(NOW.date(), "all", 2), (NOW.date(), "human", 1)]


def test_a_day_that_no_longer_has_such_visitors_does_not_name_any(
    lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection
) -> None:
    lake.append([event("a", NOW, anonymous_id="kept")])
    days = refresher.days(NOW, NOW)
    refresh_days(refresher, days)
    [shop] = [day for day in days if day.app_id == "shop"]
    connection.execute(
        "insert into rollups.daily_visitor values ('shop', 'human', %s, %s, 3, now())", [shop.start, shop.local_date]
    )
    refresh_days(refresher, days)
    assert connection.execute("select count(*) from rollups.daily_visitor").fetchone() == (0,)


def test_more_than_a_thousand_entry_pages_leave_an_exact_rest(
    lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection
) -> None:
    lake.append(event(f"e{n}", NOW, session_id=f"s{n}", page_url=f"/{n:04}") for n in range(1_010))
    refresh_days(refresher, refresher.days(NOW, NOW))
    rows = connection.execute(
        "select value_kind, count(*), sum(sessions_started), sum(bounces) from rollups.session_metric"
        " where grain = 'day' and dimension = 'entry_page' and traffic = 'human' group by 1 order by 1"
    ).fetchall()
    assert rows == [("other", 1, 10, 10), ("value", 1_000, 1_000, 1_000)]


def test_nobody_writes_numbers_of_an_older_lake(
    lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection, clock: Clock
) -> None:
    lake.append([event("a", NOW, user_id="u")])
    days = refresher.days(NOW, NOW)
    refresh_days(refresher, days)
    connection.execute("update rollups.periods set computed_version = 99 where table_name = 'sessions'")
    assert [day.app_id for day in refresh_days(refresher, days).periods] == ["peak", "east"]
