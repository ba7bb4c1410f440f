"""Which source answers which question, and why: a list of questions."""

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from query_service.query.model import Tenant
from query_service.query.planner import Choice, choose
from query_service.query.spec import parse

SHOP = Tenant("shop", ZoneInfo("America/New_York"), first_day=date(2025, 2, 3))
NOW = datetime(2026, 11, 20, 3, 25, 7, tzinfo=UTC)


def source_of(metrics: str, *, is_in_window: bool = False, **fields: Any) -> Choice:
    return choose(parse({"metrics": metrics.split(), **fields}, SHOP, NOW), is_in_window=is_in_window)


@pytest.mark.parametrize(
    ("metrics", "fields", "why"),
    [
        ("unique_visitors", {"granularity": "day"}, "metric by day"),
        ("unique_visitors page_views", {"date_range": "today", "granularity": "hour"}, "metric by hour"),
        ("unique_visitors", {"date_range": "24h", "granularity": "hour"}, "metric by hour"),
        ("unique_visitors", {"date_range": "today"}, "metric by day"),
        ("unique_visitors", {"date_range": "week"}, "metric by week"),
        ("unique_visitors", {"date_range": "month"}, "metric by month"),
        ("unique_visitors", {"date_range": "12mo", "granularity": "month"}, "metric by month"),
        ("page_views", {"date_range": "year"}, "metric by month"),
        ("page_views", {"date_range": "30d"}, "metric by day"),
        ("page_views", {"date_range": "30d", "granularity": "week"}, "metric by day"),
        ("page_views", {"date_range": "24h"}, "metric by hour"),
        ("page_views", {"date_range": "30d", "dimensions": ["page_url"]}, "metric by day"),
        ("unique_visitors", {"date_range": "today", "dimensions": ["browser"]}, "metric by day"),
        ("unique_visitors", {"date_range": "7d", "granularity": "day", "dimensions": ["country"]}, "metric by day"),
        ("events", {"filters": [["is", "country", ["DE"]]], "granularity": "day"}, "metric by day"),
        ("events", {"filters": [["is_not_set", "country"]], "granularity": "day"}, "metric by day"),
        (
            "events",
            {"filters": [["is", "source", ["web"]]], "dimensions": ["event_name"], "granularity": "day"},
            "metric by day",
        ),
        ("bounce_rate page_views", {"date_range": "month"}, "session_metric by day, metric by day"),
        ("page_views", {"date_range": "month", "granularity": "week"}, "metric by day"),
        ("page_views", {"date_range": "week"}, "metric by day"),
        ("bounce_rate", {"date_range": "30d"}, "session_metric by day"),
        ("bounce_rate", {"date_range": "today", "granularity": "hour"}, "session_metric by hour"),
        (
            "page_views bounce_rate",
            {"date_range": "today", "dimensions": ["page_url"]},
            "metric by day, session_metric by day",
        ),
        ("revenue", {"date_range": "month", "dimensions": ["channel"]}, "revenue by day"),
        ("conversion_rate", {"goal": "signup", "granularity": "day"}, "goal_metric by day, session_metric by day"),
        ("dau", {"granularity": "day"}, "metric by day"),
        ("mau", {"date_range": "month"}, "metric by month"),
    ],
)
def test_the_rollups_answer_whole_periods_of_one_cut(metrics: str, fields: dict[str, Any], why: str) -> None:
    assert source_of(metrics, **fields) == Choice("rollup", why, source_of(metrics, **fields).parts)


@pytest.mark.parametrize(
    ("metrics", "fields", "why"),
    [
        ("unique_visitors", {"date_range": "30d"}, "people of several periods are not added up"),
        ("unique_visitors", {"date_range": "30d", "granularity": "week"}, "people of several periods are not added up"),
        ("unique_visitors", {"date_range": "7d", "dimensions": ["page_url"]}, "people of several periods"),
        ("page_views unique_visitors", {"date_range": "30d", "granularity": None}, "people of several periods"),
        ("page_views", {"date_range": ["2026-11-01T04:30:00Z", "2026-11-02T05:00:00Z"]}, "not made of whole periods"),
        ("page_views", {"dimensions": ["country", "os"]}, "more than one cut"),
        ("page_views", {"dimensions": ["os"], "filters": [["is", "country", ["DE"]]]}, "more than one cut"),
        ("page_views", {"filters": [["is", "country", ["DE", "AT"]]]}, "more than one cut"),
        ("page_views", {"filters": [["contains", "page_url", ["shop"]]]}, "more than one cut"),
        ("page_views", {"filters": [["is", "page_url", ["x" * 600]]]}, "more than one cut"),
        ("page_views", {"filters": [["is", "country", ["DE"]], ["is_not", "country", ["AT"]]]}, "more than one cut"),
        ("page_views", {"dimensions": ["properties.plan"]}, "metric has no cut by properties.plan"),
        ("events", {"date_range": "24h", "dimensions": ["browser"]}, "the range is not made of whole periods"),
        ("revenue", {"dimensions": ["page_url"]}, "revenue has no cut by page_url"),
        ("events", {"date_range": "today", "granularity": "minute"}, "the live window does not reach back so far"),
        ("events", {"date_range": "60m"}, "the live window does not reach back so far"),
    ],
)
def test_the_lake_answers_the_rest(metrics: str, fields: dict[str, Any], why: str) -> None:
    choice = source_of(metrics, **fields)
    assert choice.source == "lake"
    assert why in choice.why


@pytest.mark.parametrize(
    ("metrics", "fields", "source"),
    [
        ("events unique_visitors", {"date_range": "5m"}, "live"),
        ("page_views", {"date_range": "60m", "granularity": "minute"}, "live"),
        ("page_views", {"date_range": "10m", "dimensions": ["page_url"]}, "live"),
        ("page_views", {"date_range": "10m", "filters": [["is", "country", ["DE"]]]}, "live"),
        ("bounce_rate", {"date_range": "10m"}, "lake"),
        ("page_views", {"date_range": "10m", "dimensions": ["browser"]}, "lake"),
        ("page_views", {"date_range": "10m", "dimensions": ["country", "source"]}, "lake"),
        ("page_views", {"date_range": "10m", "filters": [["is_not", "country", ["DE"]]]}, "lake"),
        ("page_views", {"date_range": "60m", "granularity": "hour"}, "lake"),
    ],
)
def test_the_live_window_answers_what_it_counts(metrics: str, fields: dict[str, Any], source: str) -> None:
    assert source_of(metrics, is_in_window=True, **fields).source == source


def test_a_session_s_page_is_the_one_it_entered_on() -> None:
    views, sessions = source_of("page_views bounces", date_range="today", dimensions=["page_url"]).parts
    assert (views.dimension, sessions.dimension) == ("page_url", "entry_page")


def test_each_period_is_read_once_on_the_day_the_clocks_change() -> None:
    (part,) = source_of("unique_visitors", date_range=["2026-11-01", "2026-11-02"], granularity="hour").parts
    assert len(part.starts) == len(set(part.starts)) == 25
    assert part.starts == part.buckets
