"""Questions of version 2 over rollups in Postgres: numbers, what they rest on, and that no answer is served old."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg_pool import AsyncConnectionPool

from eventmill import dbt, metric_catalog
from eventmill.control.definitions import UnknownDefinitionError
from eventmill.settings import Settings
from eventmill.warehouse import async_pool
from query_service.prepared import PreparedPool
from query_service.query.catalog import ELSEWHERE, MEASURES, METRICS, RATIOS, Grain, is_cut_of, measures_of
from query_service.query.errors import NoSource, UnknownApp
from query_service.query.executor import Executor
from query_service.query.path import QueryPath
from tests.shop_service import DAYS, NEW_YORK_MIDNIGHTS, fill, make_apps

pytestmark = pytest.mark.integration

NOW = datetime(2026, 3, 9, 15, 30, tzinfo=UTC)
SPAN = ["2026-03-07", "2026-03-10"]
APPS = ("shop",)
GRAINS: tuple[Grain, ...] = ("hour", "day")
GOAL_ID = "00000000-0000-4000-8000-000000000001"


@pytest.fixture(scope="module")
def shop(module_rollups: Any) -> Any:
    make_apps(module_rollups.address)
    fill(module_rollups)
    place = {"local_date": DAYS[0], "period_start": NEW_YORK_MIDNIGHTS[0]}
    people = {"users": 2, "visitors": 4, "sessions": 4}
    for value, events in [("DE", 5), ("AT", 3), (None, 1)]:
        module_rollups.metric("all", "country", value, events=events, **place)
        module_rollups.metric("human", "country", value, events=events, page_views=events - 1, **people, **place)
    for dimension, value in [("total", None), ("country", "DE")]:
        module_rollups.sessions("human", dimension, value, sessions_started=4, bounces=1, duration_seconds=90, **place)
    week = {"grain": "week", "local_date": date(2026, 3, 2), "period_start": datetime(2026, 3, 2, 5, tzinfo=UTC)}
    module_rollups.metric("human", "total", None, visitors=5, page_views=10, **week)
    goal = {"app_id": "shop", "goal_id": GOAL_ID, "identifier": "signup", "name": "Signup", "definition": "{}"}
    module_rollups.insert("control.goal", goal)
    reached = {"app_id": "shop", "goal_id": GOAL_ID, **place, "traffic": "human", "dimension": "total"}
    counts = {"value_kind": "total", "events": 3, "visitors": 1, "sessions": 1, "computed_at": NOW}
    module_rollups.insert("rollups.goal_metric", reached | counts)
    for currency, amount in [("EUR", 7.5), ("USD", 2)]:
        paid = {"app_id": "shop", "grain": "day", **place, "traffic": "human", "dimension": "total"}
        paid |= {"value_kind": "total", "currency": currency, "utc_offset_minutes": -300, "events": 1}
        module_rollups.insert("rollups.revenue", paid | {"revenue": amount, "computed_at": NOW})
    return module_rollups


@asynccontextmanager
async def executor_of(address: str) -> AsyncIterator[tuple[Executor, AsyncConnectionPool]]:
    limits: dict[str, Any] = {"max_size": 2, "statement_timeout_ms": 5_000}
    pool = async_pool(Settings(database_url=address), **limits)
    async with pool, PreparedPool(address, **limits) as prepared:
        yield Executor(pool, prepared), pool


@pytest.fixture
async def path(shop: Any) -> AsyncIterator[QueryPath]:
    async with executor_of(shop.address) as (executor, _):
        yield QueryPath(executor, clock=lambda: NOW)


async def rows_of(path: QueryPath, *metrics: str, **fields: Any) -> list[dict[str, Any]]:
    asked = {"metrics": [*metrics], "date_range": SPAN, **fields}
    return [dict(row) for row in (await path.query(asked, APPS)).data]


async def test_every_day_of_a_range_has_a_row(path: QueryPath) -> None:
    assert await rows_of(path, "events", "unique_visitors", "bounce_rate", granularity="day") == [
        {"timestamp": "2026-03-07T00:00:00-05:00", "events": 9, "unique_visitors": 3, "bounce_rate": 25.0},
        {"timestamp": "2026-03-08T00:00:00-05:00", "events": 4, "unique_visitors": 3, "bounce_rate": None},
        {"timestamp": "2026-03-09T00:00:00-04:00", "events": 0, "unique_visitors": 0, "bounce_rate": None},
    ]


async def test_what_has_not_begun_is_unknown(path: QueryPath) -> None:
    rows = await rows_of(path, "events", date_range="today", granularity="hour")
    assert [row["events"] for row in rows] == [0] * 12 + [None] * 12


async def test_totals_are_one_row_and_count_bots_where_asked(path: QueryPath) -> None:
    assert await rows_of(path, "page_views", "events", date_range=SPAN) == [{"page_views": 10, "events": 13}]
    assert await rows_of(path, "page_views", "events", include_bots=True) == [{"page_views": 0, "events": 13}]


async def test_people_of_one_calendar_week_are_exact(path: QueryPath) -> None:
    week = ["2026-03-02", "2026-03-09"]
    assert await rows_of(path, "unique_visitors", date_range=week) == [{"unique_visitors": 5}]


async def test_people_of_other_ranges_need_the_lake(path: QueryPath) -> None:
    with pytest.raises(NoSource, match="people of several periods are not added up"):
        await path.query({"metrics": ["unique_visitors"], "date_range": SPAN}, APPS)


async def test_values_come_with_the_largest_first_and_what_is_not_set_as_null(path: QueryPath) -> None:
    rows = await rows_of(path, "events", "sessions_started", dimensions=["country"])
    assert rows == [
        {"country": "DE", "events": 5, "sessions_started": 4},
        {"country": "AT", "events": 3, "sessions_started": 0},
        {"country": None, "events": 1, "sessions_started": 0},
    ]
    named = await rows_of(path, "events", dimensions=["country"], order_by=[["country", "asc"]], limit=2)
    assert [row["country"] for row in named] == ["AT", "DE"]


async def test_a_filter_takes_one_value_of_a_cut(path: QueryPath) -> None:
    by_day = await rows_of(path, "events", "page_views", granularity="day", filters=[["is", "country", ["AT"]]])
    assert [(row["events"], row["page_views"]) for row in by_day] == [(3, 2), (0, 0), (0, 0)]
    assert await rows_of(path, "events", filters=[["is_not_set", "country"]]) == [{"events": 1}]


async def test_source_and_name_are_a_cut_together(path: QueryPath) -> None:
    both = await rows_of(path, "events", dimensions=["event_name", "source"])
    assert both == [{"event_name": "buy", "source": "web", "events": 4}]
    one = await rows_of(path, "events", dimensions=["event_name"], filters=[["is", "source", ["web"]]])
    assert one == [{"event_name": "buy", "events": 4}]
    assert await rows_of(path, "events", dimensions=["event_name"], filters=[["is", "source", ["mobile"]]]) == []


async def test_a_page_s_bounces_are_those_of_sessions_that_entered_on_it(path: QueryPath) -> None:
    rows = await rows_of(path, "page_views", "bounce_rate", "avg_session_duration", dimensions=["page_url"])
    assert rows == [
        {"page_url": "/", "page_views": 6, "bounce_rate": 33.33, "avg_session_duration": 15.0},
        {"page_url": "/cart", "page_views": 4, "bounce_rate": None, "avg_session_duration": None},
    ]


async def test_an_earlier_range_is_compared_by_position(path: QueryPath) -> None:
    (row,) = await rows_of(path, "events", date_range=["2026-03-08", "2026-03-09"], compare="previous_period")
    assert row == {"events": 4, "previous": {"events": 9}, "change_percent": {"events": -55.56}}
    days = await rows_of(
        path, "events", date_range=["2026-03-08", "2026-03-10"], compare=["2026-03-07", "2026-03-08"], granularity="day"
    )
    assert days[0]["previous"] == {"timestamp": "2026-03-07T00:00:00-05:00", "events": 9}
    assert (days[1]["previous"], days[1]["change_percent"]) == (None, {"events": None})
    by_country = await rows_of(
        path, "events", dimensions=["country"], date_range=["2026-03-07", "2026-03-08"], compare="previous_period"
    )
    assert by_country[0]["previous"] == {"events": 0}


async def test_pages_of_rows_make_up_the_whole(path: QueryPath) -> None:
    asked = {"metrics": ["events"], "dimensions": ["country"], "date_range": SPAN, "limit": 2}
    first = await path.query(asked, APPS)
    second = await path.query({**asked, "cursor": first.meta.next_cursor}, APPS)
    assert [row["country"] for row in (*first.data, *second.data)] == ["DE", "AT", None]
    assert second.meta.next_cursor is None


async def test_a_goal_is_counted_by_its_sessions(path: QueryPath) -> None:
    days = {"date_range": ["2026-03-07", "2026-03-08"], "granularity": "day"}
    for goal in ("signup", GOAL_ID):
        (row,) = await rows_of(path, "conversion_rate", "converted_sessions", goal=goal, **days)
        assert (row["conversion_rate"], row["converted_sessions"]) == (25.0, 1)
    with pytest.raises(UnknownDefinitionError):
        await rows_of(path, "conversion_rate", goal="no-such", **days)


async def test_revenue_in_several_currencies_is_not_added_up(path: QueryPath) -> None:
    answer = await path.query({"metrics": ["revenue"], "date_range": SPAN}, APPS)
    assert answer.data == [{"revenue": None, "revenue_by_currency": {"EUR": 7.5, "USD": 2.0}}]
    assert answer.meta.currencies == ["EUR", "USD"]


async def test_revenue_of_several_currencies_is_compared_currency_by_currency(path: QueryPath) -> None:
    asked = {"metrics": ["revenue"], "date_range": SPAN, "compare": [SPAN[0], SPAN[1]], "granularity": "day"}
    rows = (await path.query(asked, APPS)).data
    paid = next(row for row in rows if row["revenue_by_currency"]["EUR"])
    assert paid["previous"]["revenue_by_currency"] == paid["revenue_by_currency"] == {"EUR": 7.5, "USD": 2.0}
    assert paid["change_percent"] == {"revenue": None, "revenue_by_currency": {"EUR": 0.0, "USD": 0.0}}
    assert {"EUR": 0, "USD": 0} in [row["revenue_by_currency"] for row in rows]


async def test_an_answer_says_what_it_rests_on(path: QueryPath) -> None:
    meta = (await path.query({"metrics": ["events"], "date_range": SPAN, "granularity": "day"}, APPS)).meta
    assert (meta.source, meta.exact, meta.definition_version, meta.why) == ("rollup", True, "d1", "metric by day")
    assert meta.complete_through == datetime(2026, 3, 9, 12, tzinfo=UTC)
    assert meta.range == {"start": SPAN[0], "end": SPAN[1], "time_zone": "America/New_York"}


DAILY_WEEK = ["2026-02-02", "2026-02-09"]


@pytest.fixture(scope="module")
def week_without_cookies(shop: Any) -> list[str]:
    """A week whose Tuesday has visitors with an id of that day; a bot had one on the Thursday after."""
    week = {"grain": "week", "local_date": date(2026, 2, 2), "period_start": datetime(2026, 2, 2, 5, tzinfo=UTC)}
    week_end = datetime(2026, 2, 9, 5, tzinfo=UTC)
    shop.metric("human", "total", None, visitors=5, users=1, **week)
    period = {"table_name": "metric", "app_id": "shop", "wanted_version": 5, "period_end": week_end, **week}
    shop.insert("rollups.periods", period)
    for day, traffic in [(3, "human"), (3, "all"), (12, "all")]:
        of_day = {"local_date": date(2026, 2, day), "period_start": datetime(2026, 2, day, 5, tzinfo=UTC)}
        noted = {"app_id": "shop", "traffic": traffic, "visitors": 2, "computed_at": NOW}
        shop.insert("rollups.daily_visitor", of_day | noted)
    return DAILY_WEEK


@pytest.mark.parametrize(
    ("asked", "scope"),
    [
        ({}, "daily"),
        ({"granularity": "week"}, "daily"),
        ({"metrics": ["wau"], "granularity": "week"}, "daily"),
        ({"granularity": "day"}, None),
        ({"date_range": ["2026-02-03", "2026-02-04"]}, None),
        ({"metrics": ["unique_users"]}, None),
        ({"metrics": ["page_views"]}, None),
        ({"date_range": ["2026-02-09", "2026-02-16"]}, None),
        ({"date_range": ["2026-02-09", "2026-02-16"], "include_bots": True}, "daily"),
        ({"date_range": ["2026-02-09", "2026-02-16"], "compare": "previous_period"}, "daily"),
    ],
)
async def test_visitors_with_ids_of_a_day_hold_per_day(
    path: QueryPath, week_without_cookies: list[str], asked: dict[str, Any], scope: str | None
) -> None:
    question = {"metrics": ["unique_visitors"], "date_range": week_without_cookies, **asked}
    assert (await path.query(question, APPS)).meta.uniques_scope == scope


@pytest.mark.parametrize(
    ("asked", "scope"),
    [({}, "daily"), ({"metric_type": "unique_users"}, None), ({"granularity": "day"}, None)],
)
async def test_rows_of_weeks_say_that_their_visitors_hold_per_day(
    path: QueryPath, shop: Any, week_without_cookies: list[str], asked: dict[str, str], scope: str | None
) -> None:
    start, end = week_without_cookies
    rows = {"granularity": "week", "start": start, "end": end, **asked}
    assert (await path.metric_rows(rows, APPS)).meta.uniques_scope == scope


async def test_a_kept_answer_learns_of_visitors_with_ids_of_a_day(path: QueryPath, shop: Any) -> None:
    asked = {"metrics": ["unique_visitors"], "date_range": ["2026-01-05", "2026-01-12"]}
    assert (await path.query(asked, APPS)).meta.uniques_scope is None
    day = {"local_date": date(2026, 1, 5), "period_start": datetime(2026, 1, 5, 5, tzinfo=UTC)}
    noted = {"app_id": "shop", "traffic": "human", "visitors": 1, "computed_at": NOW}
    shop.insert("rollups.daily_visitor", day | noted)
    assert (await path.query(asked, APPS)).meta.uniques_scope == "daily"


async def test_an_app_of_another_tenant_is_as_one_that_does_not_exist(path: QueryPath) -> None:
    for app_id in ("rival", "no-such"):
        with pytest.raises(UnknownApp, match=f"There is no app '{app_id}' that this key covers"):
            await path.query({"app_id": app_id, "metrics": ["events"]}, APPS)


async def test_values_beyond_the_kept_ones_are_a_row_of_their_own_or_a_question_for_the_lake(
    rollups: Any,
) -> None:
    make_apps(rollups.address)
    place: dict[str, Any] = {"local_date": DAYS[0], "period_start": NEW_YORK_MIDNIGHTS[0]}
    rollups.metric("human", "os", "Linux", page_views=5, **place)
    rollups.metric("human", "os", "", value_kind="other", page_views=7, **place)
    async with executor_of(rollups.address) as (executor, _):
        path = QueryPath(executor, clock=lambda: NOW)
        day: dict[str, Any] = {"date_range": ["2026-03-07", "2026-03-08"]}
        assert await rows_of(path, "page_views", dimensions=["os"], **day) == [
            {"os": "Linux", "page_views": 5},
            {"os": None, "is_other": True, "page_views": 7},
        ]
        assert await rows_of(path, "page_views", filters=[["is", "os", ["Linux"]]], **day) == [{"page_views": 5}]
        for asked in ({"dimensions": ["os"]}, {"filters": [["is", "os", ["Plan 9"]]], **day}):
            with pytest.raises(NoSource, match="1,000 largest"):
                await rows_of(path, "page_views", **asked)


def test_the_catalog_is_that_of_the_manifest(marts_home: Any, shop: Any) -> None:
    del shop  # the manifest is there once the marts are
    known = {metric.name: metric for metric in metric_catalog.read(dbt.manifest(Settings(home=marts_home)))}
    assert {*METRICS} | {*ELSEWHERE} == {*known}
    for name in METRICS:
        metric, kinds = known[name], {measure.kind for measure in measures_of([name])}
        assert (metric.type == "ratio") == (name in RATIOS)
        assert name in RATIOS or {metric.type} == kinds, name
        for dimension in metric.dimensions:
            assert is_cut_of(name, dimension.name), (name, dimension)
            rollups_of = [measure.rollup for measure in measures_of([name])]
            lacking = [
                grain
                for grain in GRAINS
                for rollup in rollups_of
                if grain in dimension.grains and dimension.name not in rollup.cuts.get(grain, frozenset())
            ]
            assert lacking == [], (name, dimension)
    assert {*MEASURES} <= {*known}


@pytest.fixture
def filled(rollups: Any) -> Any:
    make_apps(rollups.address)
    fill(rollups)
    return rollups


STEPS = st.lists(
    st.tuples(st.sampled_from(["ask", "refresh"]), st.sampled_from(DAYS[:2]), st.integers(0, 50)), max_size=12
)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
async def test_after_any_refresh_the_answer_is_the_one_that_was_never_kept(
    filled: Any, steps: list[tuple[str, date, int]]
) -> None:
    asked = {"metrics": ["events", "page_views"], "date_range": SPAN, "granularity": "day", "compare": "previous_year"}
    async with executor_of(filled.address) as (executor, pool):
        kept = QueryPath(executor, clock=lambda: NOW)
        for step, day, value in steps:
            if step == "refresh":
                await _refresh(pool, day, value)
            fresh = QueryPath(executor, clock=lambda: NOW)
            assert (await kept.query(asked, APPS)).data == (await fresh.query(asked, APPS)).data


async def _refresh(pool: Any, day: date, value: int) -> None:
    """What a refresh does: the numbers and the period that they are of, in one transaction."""
    async with pool.connection() as connection, connection.transaction():
        await connection.execute(
            "update rollups.metric set events = %s where app_id = 'shop' and grain = 'day' and local_date = %s"
            " and dimension = 'total'",
            [value, day],
        )
        await connection.execute(
            "update rollups.periods set computed_at = clock_timestamp() where app_id = 'shop' and grain = 'day'"
            " and local_date = %s",
            [day],
        )
