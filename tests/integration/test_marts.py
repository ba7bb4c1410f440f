"""The marts over real rollups: rows go into `rollups`, dbt builds, and the cells must be the promised ones."""

import json
import re
import subprocess
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from eventmill import dbt
from eventmill.errors import EventmillError
from eventmill.settings import Settings

pytestmark = pytest.mark.integration

DAY = datetime(2026, 11, 1, 4, tzinfo=UTC)
COMPUTED = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture
def settings(rollups: Any, new_directory: Callable[[], Path]) -> Settings:
    """Settings over the database of `rollups`."""
    return Settings(home=new_directory(), database_url=rollups.address)


def test_events_count_bots_and_people_counts_do_not(rollups: Any) -> None:
    rollups.metric("all", "event_type", "page_view", events=9, users=3, visitors=5, sessions=6)
    rollups.metric("human", "event_type", "page_view", events=7, users=2, visitors=4, sessions=5)
    rollups.metric("all", "event_type", "crawl", events=3, users=0, visitors=1, sessions=0)
    assert rollups.rows("select * from marts.daily_stats order by event_type") == [
        {
            "app_id": "shop",
            "date": date(2026, 11, 1),
            "event_type": event_type,
            "event_count": events,
            "unique_users": users,
            "unique_visitors": visitors,
            "unique_sessions": sessions,
            "computed_at": COMPUTED,
        }
        for event_type, events, users, visitors, sessions in [("crawl", 3, 0, 0, 0), ("page_view", 9, 2, 4, 5)]
    ]


def test_the_hour_that_occurs_twice_is_told_apart_by_its_offset(rollups: Any) -> None:
    for utc_hour, offset, events in [(5, -240, 3), (6, -300, 5)]:
        start = datetime(2026, 11, 1, utc_hour, tzinfo=UTC)
        hour = {"grain": "hour", "period_start": start, "local_hour": 1, "utc_offset_minutes": offset}
        rollups.metric("all", "event_type", "click", events=events, **hour)
        rollups.metric("human", "event_type", "click", events=events, visitors=2, **hour)
    query = "select hour, utc_offset_minutes, event_count, unique_visitors from marts.hourly_stats order by 2 desc"
    assert rollups.tuples(query) == [(1, -240, 3, 2), (1, -300, 5, 2)]


def test_an_event_named_all_stays_apart_from_the_row_of_all_names(rollups: Any) -> None:
    for dimension, value, events in [
        ("total", None, 9),
        ("source", "web", 8),
        ("event_name", "all", 2),
        ("source_event_name", json.dumps(["web", "all"], separators=(",", ":")), 1),
        ("source_event_name", json.dumps(["web", 'a "b"'], separators=(",", ":")), 7),
    ]:
        rollups.metric("all", dimension, value, events=events)
    query = (
        "select is_all_sources, source, is_all_event_names, event_name, event_count"
        " from marts.daily_metrics order by event_count"
    )
    assert rollups.tuples(query) == [
        (False, "web", False, "all", 1),
        (True, "all", False, "all", 2),
        (False, "web", False, 'a "b"', 7),
        (False, "web", True, "all", 8),
        (True, "all", True, "all", 9),
    ]


def test_a_page_has_rates_only_where_sessions_entered_on_it(rollups: Any) -> None:
    for page, views in [("/", 4), ("/deep", 2)]:
        rollups.metric("all", "page_url", page, events=views, page_views=views, visitors=2)
        rollups.metric("human", "page_url", page, events=views, page_views=views, visitors=2)
    rollups.metric("all", "page_url", "/bots", events=5, page_views=5, visitors=1)
    rollups.metric("all", "page_url", None, events=5, page_views=5, visitors=1)
    rollups.sessions("human", "entry_page", "/", sessions_started=3, bounces=1, duration_seconds=45.0)
    rollups.sessions("all", "entry_page", "/", sessions_started=9, bounces=1, duration_seconds=45.0)
    query = (
        "select identifier, view_count, unique_visitors, bounce_rate, avg_session_duration"
        " from marts.page_daily order by identifier"
    )
    assert rollups.tuples(query) == [
        ("/deep|2026-11-01", 2, 2, None, None),
        ("/|2026-11-01", 4, 2, Decimal("33.33"), 15.0),
    ]


BY_DATE = [
    "hourly_stats",
    "daily_stats",
    "weekly_stats",
    "monthly_stats",
    "daily_metrics",
    "metrics",
    "page_daily",
    "top_pages",
    "active_users",
    "session_stats",
    "acquisition",
    "goal_conversions",
    "revenue",
    "hourly_anomalies",
]


def test_an_app_and_a_range_of_dates_reach_the_index_under_every_mart(module_rollups: Any) -> None:
    for mart in BY_DATE:
        query = (
            f"explain select * from marts.{mart} where app_id = 'shop' and date >= '2026-10-01' and date < '2026-10-08'"
        )
        # The tables are empty here, and of an empty table PostgreSQL would read all.
        with psycopg.connect(module_rollups.address) as connection:
            connection.execute("set enable_seqscan = off")
            plan = [line for (line,) in connection.execute(query).fetchall()]
        assert [line for line in plan if re.search(r"Seq Scan on (?!app|goal )", line)] == [], mart
        conditions = [line for line in plan if "Index Cond" in line]
        assert any("'shop'" in one and "local_date >= '2026-10-01'" in one for one in conditions), mart


def test_every_data_test_unit_test_and_contract_holds_on_real_rows(rollups: Any, settings: Settings) -> None:
    rollups.metric("all", "total", None, events=2)
    rollups.metric("all", "event_type", "click", events=2)
    dbt.run_dbt(settings, ["build"], settings.home / "dbt" / "target")
    dbt.run_dbt(settings, ["source", "freshness"], settings.home / "dbt" / "target")


def test_a_warm_start_builds_nothing_and_a_new_definition_replaces_the_views_in_place(
    rollups: Any, settings: Settings
) -> None:
    oids = (
        "select relname, oid from pg_class"
        " where relnamespace in ('marts'::regnamespace, 'staging'::regnamespace) order by relname"
    )
    before = rollups.rows(oids)
    assert not dbt.ensure_marts(settings)
    rollups.execute("update control.schema_versions set details = 'older' where component = 'marts'")
    assert dbt.ensure_marts(settings)
    assert {row["relname"] for row in before} == {path.stem for path in (dbt.PROJECT / "models").rglob("*.sql")}
    assert rollups.rows(oids) == before


def test_a_view_whose_columns_no_longer_fit_is_made_anew(rollups: Any, settings: Settings) -> None:
    rollups.execute("drop view staging.stg_session_metric cascade")
    rollups.execute("create view staging.stg_session_metric as select 1 as other")
    dbt.build_marts(settings)
    for view in ("marts.page_daily", "flight.va_page_daily", "flight.va_pageview_aggregate"):
        assert rollups.rows(f"select * from {view}") == []


def test_the_documentation_is_one_page_without_the_password(settings: Settings) -> None:
    assert dbt.ensure_docs(settings)
    page = dbt.docs_page(settings).read_text(encoding="utf-8")
    assert "Distinct sessions with a qualifying event" in page
    assert "metric.eventmill.bounce_rate" in page
    assert "exposure.eventmill.bi_tools" in page
    assert dbt.dbt_environment(settings)["EVENTMILL_DBT_PASSWORD"] not in page
    assert not dbt.ensure_docs(settings)


def test_a_failing_model_is_reported_in_dbts_own_words(database: str, new_directory: Callable[[], Path]) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("drop table rollups.session_metric cascade")
    settings = Settings(home=new_directory(), database_url=database)
    with pytest.raises(EventmillError, match="session_metric"):
        dbt.build_marts(settings)


def test_dbt_writes_nothing_into_the_project() -> None:
    command = ["git", "status", "--porcelain", "--ignored", "--", str(dbt.PROJECT)]
    status = subprocess.run(command, capture_output=True, text=True, check=True, cwd=dbt.PROJECT)
    assert "target" not in status.stdout
    assert ".user.yml" not in status.stdout
