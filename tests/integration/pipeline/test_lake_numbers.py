"""Numbers that the lake counts are those of the rollups, wherever both have them; lists are as long as their number."""

import random
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, timedelta
from functools import partial
from typing import Any

import psycopg
import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry
from psycopg.rows import dict_row

from analytics_pipeline.engines.connection import connect
from analytics_pipeline.refresh import Refresher
from eventmill import lake as lake_tables
from eventmill import warehouse
from eventmill.control import apps, definitions
from eventmill.embedded.postgres import PostgresServer
from eventmill.lake import lake_directory
from eventmill.settings import Settings
from query_service.lake.service import Lake
from query_service.query import spec as specs
from query_service.query.event_list import parse_events
from query_service.query.lake_funnels import parse_funnel_query, parse_retention_query
from query_service.query.model import Tenant
from query_service.query.people import actor_of
from tests import month
from tests.conftest import NUMBERS
from tests.databases import drop_database
from tests.lake_of import Clock, HandMadeLake
from tests.pipeline_in_process import Pipeline

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="module")]
SETTLED = month.END + timedelta(days=4)
FUNNEL = {"steps": [{"event_type": "page_view"}, {"event_type": "purchase"}], "window": "2d", "days": 90}
FUNNELS = {
    "Buy": FUNNEL | {"breakdown": "os"},
    "Visit": FUNNEL | {"count_by": "session"},
    "Any": FUNNEL | {"order": "any"},
}
COHORTS = {
    "Came": {"filter": {"event_type": "page_view"}},
    "Again": {"filter": {"event_type": "page_view"}, "return_event": "any", "at_least": 2, "from": "2026-10-17"},
}
ENTRY = ("entry_page", "exit_page", "channel", "country", "os", "utm_source", "source")
EVENT = ("event_type", "event_name", "source", "country", "os", "page_url", "channel", "utm_source", "app_version")


@pytest.fixture(scope="module")
def settings(postgres: PostgresServer, _migrated_template: str, new_directory: Any) -> Iterator[Settings]:
    name = f"lake_numbers_{next(NUMBERS)}"
    with psycopg.connect(postgres.address(), autocommit=True) as connection:
        connection.execute(f"create database {name} template {_migrated_template}")
        yield Settings(home=new_directory(), database_url=postgres.address(name), query_lake_workers=1)
        drop_database(connection, name)


@pytest.fixture(scope="module")
def rollups(settings: Settings) -> Iterator[psycopg.Connection[Any]]:
    """A month of events, counted by the pipeline."""
    connection = warehouse.connect(settings, autocommit=True)
    clock = Clock()
    clock.now = month.START
    lake_tables.create_tables(settings)
    made = HandMadeLake(lake_directory(settings), clock=clock)
    for app_id, zone in month.ZONES.items():
        apps.create_app(connection, app_id, app_id=app_id, time_zone=zone.key)
        for kind, given in ((definitions.FUNNEL, FUNNELS), (definitions.COHORT, COHORTS)):
            for name, definition in given.items():
                definitions.create(connection, kind, app_id, name, definition)
    refresher = Refresher(settings, partial(connect, settings), partial(connect, settings), clock)
    for batch in month.batches(random.Random(3), 8, 2):
        clock.now = batch.until
        for envelope in batch.envelopes:
            made.append(envelope)
    pipeline = Pipeline(refresher, connection, clock)
    pipeline.settle(month.END + timedelta(days=3), SETTLED)
    connection.row_factory = dict_row  # type: ignore[assignment]
    yield connection
    connection.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lake(settings: Settings, rollups: Any) -> AsyncIterator[Lake]:
    lake = Lake(settings, CollectorRegistry())
    lake.start()
    yield lake
    await lake.close()


def tenant(app_id: str) -> Tenant:
    return Tenant(app_id, month.ZONES[app_id])


async def ask(lake: Lake, app_id: str, **asked: Any) -> list[dict[str, Any]]:
    spec = specs.parse({"limit": 10_000, **asked}, tenant(app_id), SETTLED)
    return [dict(row) for row in (await lake.queries.run(spec)).rows]


DAYS = ["2026-10-12", "2026-11-16"]
RANGES = {"day": DAYS, "week": DAYS, "month": ["2026-10-01", "2026-12-01"]}
METRICS = ["events", "page_views", "unique_visitors", "unique_users", "unique_sessions"]
COLUMNS = dict(zip(METRICS, ["events", "page_views", "visitors", "users", "sessions"], strict=True))
SESSION_COLUMNS = {
    "sessions_started": "sessions_started",
    "sessions_with_views": "sessions_with_views",
    "bounces": "bounces",
    "session_duration": "duration_seconds",
    "session_views": "views",
}


def stored(rollups: Any, app_id: str, grain: str, dimension: str, metrics: list[str]) -> list[str]:
    """Rows of the rollups under the names of an answer: `events` of all, the rest of people."""
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    columns = {**COLUMNS, **SESSION_COLUMNS}
    table = "session_metric" if metrics[0] in SESSION_COLUMNS else "metric"
    query = f"select * from rollups.{table} where app_id = %s and grain = %s and dimension = %s"
    for row in rollups.execute(query, [app_id, grain, dimension]).fetchall():
        assert row["value_kind"] != "other"
        value = row["value"] if row["value_kind"] == "value" else None
        found = rows.setdefault((row["period_start"].astimezone(UTC), value), {})
        wanted = [name for name in metrics if (name == "events") == (row["traffic"] == "all")]
        found.update({name: row[columns[name]] for name in wanted})
    return lines([{"at": at, "value": value, **found} for (at, value), found in rows.items()], metrics)


def lines(rows: list[dict[str, Any]], metrics: list[str]) -> list[str]:
    shown = [[row["at"], row["value"], [row.get(name) or 0 for name in metrics]] for row in rows]
    return sorted(repr(one) for one in shown if any(one[2]))


def answered(rows: list[dict[str, Any]], dimension: str, metrics: list[str]) -> list[str]:
    return lines([row | {"at": row["timestamp"], "value": row.get(dimension)} for row in rows], metrics)


def cuts(*names: str) -> list[str]:
    return ["total", *names]


@pytest.mark.parametrize("app_id", list(month.ZONES))
async def test_days_weeks_and_months_are_counted_alike_from_days_of_actors(
    lake: Lake, rollups: Any, app_id: str
) -> None:
    for grain, date_range in RANGES.items():
        for dimension in cuts(*EVENT):
            asked = {"dimensions": [dimension] if dimension != "total" else []}
            rows = await ask(lake, app_id, metrics=METRICS, date_range=date_range, granularity=grain, **asked)
            expected = stored(rollups, app_id, grain, dimension, METRICS)
            assert answered(rows, dimension, METRICS) == expected, (grain, dimension)


@pytest.mark.parametrize("app_id", list(month.ZONES))
async def test_hours_are_counted_alike_from_events(lake: Lake, rollups: Any, app_id: str) -> None:
    for dimension in cuts("event_type", "country", "page_url"):
        asked = {"dimensions": [dimension] if dimension != "total" else []}
        rows = await ask(lake, app_id, metrics=METRICS, date_range=DAYS, granularity="hour", **asked)
        assert answered(rows, dimension, METRICS) == stored(rollups, app_id, "hour", dimension, METRICS), dimension


@pytest.mark.parametrize("app_id", list(month.ZONES))
async def test_sessions_of_hours_and_days_begin_alike(lake: Lake, rollups: Any, app_id: str) -> None:
    metrics = list(SESSION_COLUMNS)
    for grain in ("hour", "day"):
        for dimension in cuts(*ENTRY):
            asked = {"dimensions": [dimension] if dimension != "total" else []}
            rows = await ask(lake, app_id, metrics=metrics, date_range=DAYS, granularity=grain, **asked)
            expected = stored(rollups, app_id, grain, dimension, metrics)
            assert answered(rows, dimension, metrics) == expected, (grain, dimension)


async def test_sessions_are_filtered_by_what_they_entered_with(lake: Lake) -> None:
    asked = {"metrics": ["sessions_started", "bounces"], "date_range": DAYS}
    whole = {row["entry_page"]: row for row in await ask(lake, "york", **asked, dimensions=["entry_page"])}
    for field in ("entry_page", "page_url"):
        [row] = await ask(lake, "york", **asked, filters=[["is", field, ["/a"]]])
        assert row == {name: whole["/a"][name] for name in row}
    [left] = await ask(lake, "york", **asked, filters=[["contains", "exit_page", ["b"]], ["is_not", "os", ["iOS"]]])
    assert 0 < left["sessions_started"] < sum(row["sessions_started"] for row in whole.values())


@pytest.mark.parametrize("app_id", list(month.ZONES))
@pytest.mark.parametrize("include_bots", [False, True])
async def test_events_and_days_of_actors_give_the_same_totals(lake: Lake, app_id: str, include_bots: bool) -> None:
    """A filter that all events meet has the events themselves counted."""
    everything = [["is_not", "properties.nothing", ["x"]]]
    for dimension in cuts("event_type", "os", "page_url"):
        asked: dict[str, Any] = {"metrics": METRICS, "date_range": DAYS, "include_bots": include_bots}
        asked["dimensions"] = [dimension] if dimension != "total" else []
        of_days, of_events = await ask(lake, app_id, **asked), await ask(lake, app_id, **asked, filters=everything)
        assert of_events == of_days, dimension


@pytest.mark.parametrize("app_id", list(month.ZONES))
@pytest.mark.parametrize("name", list(FUNNELS))
async def test_a_funnel_that_nobody_saved_counts_as_a_saved_one(
    lake: Lake, rollups: Any, app_id: str, name: str
) -> None:
    query = parse_funnel_query(FUNNELS[name], tenant(app_id), SETTLED)
    rows = (await lake.funnels.funnel(query)).data
    saved = rollups.execute(
        "select breakdown_kind, breakdown_value, step_no as step, users, in_progress, median_seconds, mean_seconds"
        " from rollups.funnel_step join control.funnel using (funnel_id) where funnel.app_id = %s and name = %s",
        [app_id, name],
    ).fetchall()
    names = ("breakdown_kind", "breakdown_value", "step", "users", "median_seconds", "mean_seconds")
    assert unordered(rows, names) == unordered(saved, names)
    assert rows[0]["users"] > 0


@pytest.mark.parametrize("name", list(COHORTS))
@pytest.mark.parametrize("interval", ["day", "week", "month"])
async def test_retention_that_nobody_saved_counts_as_a_saved_one(
    lake: Lake, rollups: Any, name: str, interval: str
) -> None:
    for mode, recurrence in (("on", "first_time"), ("on_or_after", "recurring")):
        asked = COHORTS[name] | {"interval": interval, "mode": mode, "recurrence": recurrence}
        rows = (await lake.funnels.retention(parse_retention_query(asked, tenant("york")))).data
        saved = rollups.execute(
            "select cohort_date, period_offset, cohort_size, returning_users from rollups.cohort_retention"
            " join control.cohort using (cohort_id) where cohort.app_id = 'york' and name = %s and interval_kind = %s"
            " and mode = %s and recurrence = %s",
            [name, interval, mode, recurrence],
        ).fetchall()
        names = ("cohort_date", "period_offset", "cohort_size", "returning_users")
        # A saved one is computed up to the present, this one up to the last event.
        assert {*unordered(rows, names)} <= {*unordered(saved, names)}
        assert rows


def unordered(rows: Any, names: tuple[str, ...]) -> list[str]:
    return sorted(repr([row[name] for name in names]) for row in rows)


async def people(lake: Lake, app_id: str, **asked: Any) -> tuple[int | None, list[str]]:
    """How many there are, and all of them, by pages."""
    found: list[str] = []
    cursor = None
    while True:
        more = {"cursor": cursor} if cursor else {}
        answer = await lake.people.list({"limit": 7, **asked, **more}, tenant(app_id), SETTLED)
        found += [row["person"] for row in answer.data]
        cursor = answer.meta.next_cursor
        if cursor is None:
            return answer.meta.total, found


async def test_lists_are_as_long_as_the_number_in_front_of_them(lake: Lake) -> None:
    definition = FUNNELS["Buy"]
    rows = (await lake.funnels.funnel(parse_funnel_query(definition, tenant("shop"), SETTLED))).data
    for row in rows:
        value = {"value": row["breakdown_value"] or None} if row["breakdown_kind"] != "total" else {}
        total, found = await people(lake, "shop", of="funnel", definition=definition, step=row["step"], **value)
        assert total == len(set(found)) == len(found) == row["users"], row
    question = {"metrics": ["unique_visitors"], "dimensions": ["os", "properties.currency"], "granularity": "week"}
    question |= {"date_range": DAYS, "filters": [["is_not", "country", ["NP"]]]}
    for row in await ask(lake, "york", **question):
        visitors = row.pop("unique_visitors")
        shown = row | {"timestamp": row["timestamp"].isoformat()}
        total, found = await people(lake, "york", of="query", definition=question, row=shown)
        assert total == len(set(found)) == len(found) == visitors, row


async def test_cohorts_and_their_cells_are_lists_of_people(lake: Lake) -> None:
    asked = COHORTS["Again"]
    answer = await lake.funnels.retention(parse_retention_query(asked, tenant("shop")))
    total, found = await people(lake, "shop", of="cohort", definition=asked)
    assert total == len(found) == answer.meta.user_count
    for row in answer.data:
        cell = {"cohort_date": row["cohort_date"].isoformat(), "period_offset": row["period_offset"]}
        total, _ = await people(lake, "shop", of="retention", definition=asked, **cell)
        assert total == row["returning_users"], row


async def test_a_timeline_has_all_events_of_a_person(lake: Lake) -> None:
    asked = {"metrics": ["events", "unique_visitors"], "date_range": "all", "include_bots": True}
    [row] = await ask(lake, "shop", **asked)
    _, persons = await people(lake, "shop", of="query", definition=asked)
    listed = 0
    for person in persons:
        events = (await lake.people.timeline(person, {"limit": "1000"}, tenant("shop"), SETTLED)).data
        assert events, actor_of(person)
        assert [one["timestamp"] for one in events] == sorted((one["timestamp"] for one in events), reverse=True)
        listed += len(events)
    assert listed == row["events"]


async def test_events_are_listed_whole_and_without_ids_for_who_may_not_see_people(lake: Lake) -> None:
    [row] = await ask(lake, "peak", metrics=["events"], date_range=DAYS)
    asked: dict[str, Any] = {"start": DAYS[0], "end": DAYS[1], "limit": "37"}
    found: list[Any] = []
    while True:
        answer = await lake.events.list(parse_events(asked, tenant("peak"), SETTLED), include_people=False)
        found += answer.data
        if answer.meta.next_cursor is None:
            break
        asked["cursor"] = answer.meta.next_cursor
    assert len(found) == len({one["event_id"] + one["timestamp"] for one in found}) == row["events"]
    assert {one[name] for one in found for name in ("user_id", "anonymous_id", "session_id")} == {None}
    seen = await lake.events.list(parse_events(asked, tenant("peak"), SETTLED), include_people=True)
    assert any(one["anonymous_id"] for one in seen.data)


async def test_the_month_has_what_the_numbers_are_about(rollups: Any) -> None:
    assert rollups.execute("select count(*) as n from rollups.session_metric").fetchone()["n"] > 100
    assert date(2026, 11, 1) in {row["local_date"] for row in rollups.execute("select local_date from rollups.metric")}
