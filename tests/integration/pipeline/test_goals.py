"""Goals: sessions with the goal on the day they began, by what they entered with; new goals for all kept days."""

from datetime import date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from analytics_pipeline.goals import ask_for_new, refresh_goals
from analytics_pipeline.lib import calendar
from analytics_pipeline.refresh import Refresher
from analytics_pipeline.stores import periods as period_store
from eventmill.control import definitions
from eventmill.control.definitions import GOAL
from tests.lake_of import NOW, ZONES, Clock, HandMadeLake, event

pytestmark = pytest.mark.integration
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
NIGHT = datetime(2026, 5, 10, 23, 50, tzinfo=NOW.tzinfo)
THE_DAY = calendar.day("shop", ZONES["shop"], date(2026, 5, 10))
PURCHASE = {"filter": {"event_type": "purchase"}}


def save(connection: psycopg.Connection, definition: dict[str, Any] = PURCHASE, name: str = "Bought") -> str:
    return str(definitions.create(connection, GOAL, "shop", name, definition).id)


def rows(connection: psycopg.Connection, dimension: str = "total", traffic: str = "human") -> list[tuple[Any, ...]]:
    """Local date, kind, value, events, visitors, sessions."""
    return connection.execute(
        "select local_date, value_kind, value, events, visitors, sessions from rollups.goal_metric"
        " where dimension = %s and traffic = %s order by 1, 2, 3",
        [dimension, traffic],
    ).fetchall()


def want(connection: psycopg.Connection, version: int) -> None:
    period_store.mark_dirty(connection, "goals", [(THE_DAY, 1)], version, NOW)


def test_a_session_counts_on_the_day_it_began_by_what_it_entered_with(
    lake: HandMadeLake, connection: psycopg.Connection, refresher: Refresher
) -> None:
    save(connection)
    person = {"user_id": "u1", "session_id": "s1"}
    want(
        connection,
        lake.append(
            [
                event("1", NIGHT, page_url="/start", channel="email", **person),
                # Past midnight, twice: one session of the day before.
                event("2", NIGHT + 20 * MINUTE, event_type="purchase", **person),
                event("3", NIGHT + 21 * MINUTE, event_type="purchase", **person),
                event("4", NIGHT, event_type="purchase", user_id="u2", session_id="s2"),
                event("5", NIGHT, page_url="/start", user_id="u3", session_id="s3"),
            ]
        ),
    )
    refresh_goals(refresher, [THE_DAY])
    day = THE_DAY.local_date
    assert rows(connection) == [(day, "total", "", 3, 2, 2)]
    assert rows(connection, "entry_page") == [(day, "not_set", "", 1, 1, 1), (day, "value", "/start", 2, 1, 1)]
    assert rows(connection, "channel") == [(day, "not_set", "", 1, 1, 1), (day, "value", "email", 2, 1, 1)]


def test_an_event_without_a_session_counts_on_its_own_day_and_bots_apart(
    lake: HandMadeLake, connection: psycopg.Connection, refresher: Refresher
) -> None:
    save(connection)
    want(
        connection,
        lake.append(
            [
                event("1", NIGHT, event_type="purchase", user_id="u1", source="server"),
                event("2", NIGHT, event_type="purchase", user_id="u2", session_id="s2", is_bot=True),
                event("3", NIGHT, event_type="purchase", user_id="u3", session_id="s3", app_id="peak"),
            ]
        ),
    )
    refresh_goals(refresher, [THE_DAY])
    assert rows(connection) == [(THE_DAY.local_date, "total", "", 1, 1, 0)]
    assert rows(connection, traffic="all") == [(THE_DAY.local_date, "total", "", 2, 2, 1)]


def test_goals_are_counted_apart_from_each_other(
    lake: HandMadeLake, connection: psycopg.Connection, refresher: Refresher
) -> None:
    bought = save(connection)
    big = save(connection, {"filter": {"filters": [["greater", "properties.total", [9]]]}}, "Big order")
    person = {"user_id": "u1", "session_id": "s1", "event_type": "purchase"}
    want(
        connection,
        lake.append(
            [
                event("1", NIGHT, properties='{"total": 5}', **person),
                event("2", NIGHT, properties='{"total": 50}', **person),
            ]
        ),
    )
    refresh_goals(refresher, [THE_DAY])
    found = connection.execute(
        "select goal_id::text, events, sessions from rollups.goal_metric"
        " where dimension = 'total' and traffic = 'human'"
    ).fetchall()
    assert {goal_id: counts for goal_id, *counts in found} == {bought: [2, 1], big: [1, 1]}


def test_a_new_goal_asks_for_every_day_of_its_app_once(
    lake: HandMadeLake, connection: psycopg.Connection, refresher: Refresher, clock: Clock
) -> None:
    version = lake.append([event("1", NIGHT, event_type="purchase", user_id="u1", session_id="s1")])
    period_store.mark_dirty(connection, "metric", [(THE_DAY, 1)], version, NOW)
    old = calendar.day("shop", ZONES["shop"], date(2026, 4, 1))
    period_store.mark_dirty(connection, "metric", [(old, 1)], version, NOW)
    connection.execute("update control.app set lake_floor = %s where app_id = 'shop'", [NOW - 20 * DAY])
    assert ask_for_new(connection, NOW) == 0
    save(connection)
    assert (ask_for_new(connection, NOW), ask_for_new(connection, NOW)) == (1, 0)
    dirty = connection.execute(
        "select app_id, local_date, cause from rollups.periods where table_name = 'goals' and dirty_since is not null"
    ).fetchall()
    assert dirty == [("shop", THE_DAY.local_date, "definition")]
    refresh_goals(refresher, [THE_DAY])
    assert rows(connection) == [(THE_DAY.local_date, "total", "", 1, 1, 1)]
    # The first count of a goal restates nothing, a late event does.
    clock.now = NOW + 3 * DAY
    save(connection, {"filter": {"event_name": "purchase"}}, "The same")
    ask_for_new(connection, clock.now)
    refresh_goals(refresher, [THE_DAY])
    assert connection.execute("select count(*) from rollups.restatement").fetchone() == (0,)
    want(connection, lake.append([event("2", NIGHT, event_type="purchase", user_id="u2", session_id="s2")]))
    refresh_goals(refresher, [THE_DAY])
    restated = connection.execute("select table_name, value_before, value_after, cause from rollups.restatement")
    assert restated.fetchall() == [("goals", 2, 4, "late_events")]


def test_an_app_without_goals_costs_nothing_and_is_clean(
    lake: HandMadeLake, connection: psycopg.Connection, refresher: Refresher
) -> None:
    want(connection, lake.append([event("1", NIGHT, user_id="u1", session_id="s1")]))
    refresh_goals(refresher, [THE_DAY])
    assert rows(connection) == []
    assert connection.execute("select dirty_since from rollups.periods where table_name = 'goals'").fetchall() == [
        (None,)
    ]
