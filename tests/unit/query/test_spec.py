"""Questions of version 2 as they are read: what each field means, and what it is refused for."""

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from eventmill.analysis.filters import Condition, Op
from query_service.query.errors import InvalidParameter
from query_service.query.model import Tenant
from query_service.query.spec import QuerySpec, parse

SHOP = Tenant("shop", ZoneInfo("America/New_York"), first_day=date(2025, 2, 3))
NOW = datetime(2026, 11, 20, 3, 25, tzinfo=UTC)  # the evening of Thursday the 19th in New York


def asked(**fields: Any) -> QuerySpec:
    return parse({"metrics": ["page_views"], **fields}, SHOP, NOW)


@pytest.mark.parametrize(
    ("word", "start", "end"),
    [
        ("today", "2026-11-19", "2026-11-20"),
        ("yesterday", "2026-11-18", "2026-11-19"),
        ("7d", "2026-11-13", "2026-11-20"),
        ("30d", "2026-10-21", "2026-11-20"),
        ("90d", "2026-08-22", "2026-11-20"),
        ("week", "2026-11-16", "2026-11-23"),
        ("month", "2026-11-01", "2026-12-01"),
        ("12mo", "2025-12-01", "2026-12-01"),
        ("year", "2026-01-01", "2027-01-01"),
        ("all", "2025-02-03", "2026-11-20"),
        (None, "2026-10-21", "2026-11-20"),
        (["2026-11-01", "2026-11-03"], "2026-11-01", "2026-11-03"),
        (["2026-11-01T04:00:00Z", "2026-11-03T00:00:00-05:00"], "2026-11-01", "2026-11-03"),
        ("24h", "2026-11-18T23:00:00-05:00", "2026-11-19T23:00:00-05:00"),
        ("5m", "2026-11-19T22:20:00-05:00", "2026-11-19T22:25:00-05:00"),
        (["2026-11-01T04:30:00Z", "2026-11-01T05:00:00Z"], "2026-11-01T00:30:00-04:00", "2026-11-01T01:00:00-04:00"),
    ],
)
def test_a_range_is_meant_on_the_apps_clock(word: object, start: str, end: str) -> None:
    assert asked(date_range=word).range.echo() == {"start": start, "end": end, "time_zone": "America/New_York"}


def test_a_week_begins_on_the_apps_own_day() -> None:
    sunday = Tenant("shop", ZoneInfo("America/New_York"), week_start=7)
    spec = parse({"metrics": ["events"], "date_range": "week"}, sunday, NOW)
    assert spec.range.echo()["start"] == "2026-11-15"


@pytest.mark.parametrize(
    ("word", "granularity", "points"),
    [
        ("5m", "minute", 5),
        ("today", "hour", 24),
        ("30d", "day", 30),
        ("90d", "day", 90),
        ("12mo", "week", 53),
        (["2020-01-01", "2026-01-01"], "month", 72),
        (["2026-11-01", "2026-11-02"], "hour", 25),
    ],
)
def test_auto_takes_few_points(word: object, granularity: str, points: int) -> None:
    spec = asked(date_range=word, granularity="auto")
    assert (spec.granularity, len(spec.buckets)) == (granularity, points)


def test_a_range_cuts_its_first_and_last_period_off() -> None:
    spec = asked(date_range=["2026-11-04", "2026-11-11"], granularity="week")
    starts = [at.astimezone(SHOP.time_zone).date() for at in spec.buckets]
    assert starts == [date(2026, 11, 4), date(2026, 11, 9)]


@pytest.mark.parametrize(
    ("word", "compare", "start", "end"),
    [
        ("7d", "previous_period", "2026-11-06", "2026-11-13"),
        ("month", "previous_period", "2026-10-01", "2026-11-01"),
        ("year", "previous_period", "2025-01-01", "2026-01-01"),
        ("today", "previous_period", "2026-11-18", "2026-11-19"),
        ("24h", "previous_period", "2026-11-17T23:00:00-05:00", "2026-11-18T23:00:00-05:00"),
        (["2024-02-29", "2024-03-01"], "previous_year", "2023-02-28", "2023-03-01"),
        ("7d", ["2026-01-01", "2026-01-08"], "2026-01-01", "2026-01-08"),
    ],
)
def test_a_range_is_compared_with_an_earlier_one(word: object, compare: object, start: str, end: str) -> None:
    compared = asked(date_range=word, compare=compare).compare_range
    assert compared is not None
    assert (compared.echo()["start"], compared.echo()["end"]) == (start, end)


def test_rows_are_ordered_completely() -> None:
    by_day = asked(granularity="day", dimensions=["country"])
    assert by_day.order_by == (("timestamp", "asc"), ("page_views", "desc"), ("country", "asc"))
    totals = asked(dimensions=["country"], order_by=[["country", "desc"]])
    assert totals.order_by == (("country", "desc"),)


def test_filters_are_those_of_saved_definitions_and_of_sessions() -> None:
    filters = [["is", "country", ["DE", "AT"]], ["is_set", "properties.plan"]]
    assert asked(filters=filters).filters == (
        Condition(Op.IS, "country", ("DE", "AT")),
        Condition(Op.IS_SET, "properties.plan"),
    )
    sessions = parse({"metrics": ["bounces"], "filters": [["is", "exit_page", ["/"]]]}, SHOP, NOW)
    assert sessions.filters == (Condition(Op.IS, "exit_page", ("/",)),)


def test_the_cursor_goes_on_with_the_same_question_alone() -> None:
    first = asked(dimensions=["page_url"], limit=10)
    cursor = first.cursor_after(10)
    assert asked(dimensions=["page_url"], limit=10, cursor=cursor).offset == 10
    for other in ({"dimensions": ["country"]}, {"dimensions": ["page_url"], "include_bots": True}):
        with pytest.raises(InvalidParameter, match="not one of this question"):
            asked(limit=10, cursor=cursor, **other)
    rival = Tenant("rival", SHOP.time_zone, first_day=SHOP.first_day)
    with pytest.raises(InvalidParameter, match="not one of this question"):
        parse({"metrics": ["page_views"], "dimensions": ["page_url"], "limit": 10, "cursor": cursor}, rival, NOW)


@pytest.mark.parametrize(
    ("fields", "field", "allowed"),
    [
        ({"metric": ["events"]}, "'metric'", "metrics"),
        ({"metrics": []}, "metrics", "1 to 10"),
        ({"metrics": "events"}, "metrics", "1 to 10"),
        ({"metrics": ["events", "events"]}, "metrics", "once"),
        ({"metrics": [["events"]]}, "metrics", "texts"),
        ({"metrics": ["events", "clicks"]}, "metrics[1]", "page_views"),
        ({"metrics": ["retention_rate"]}, "metrics[0]", "unique_visitors"),
        ({"dimensions": ["user_id"]}, "dimensions[0]", "country"),
        ({"dimensions": ["entry_page"]}, "dimensions[0]", "page_url"),
        ({"dimensions": ["properties."]}, "dimensions[0]", "properties.<name>"),
        ({"dimensions": ["os", "browser", "country", "source"]}, "dimensions", "0 to 3"),
        ({"metrics": ["bounce_rate"], "dimensions": ["event_name"]}, "dimensions[0]", "entry_page"),
        ({"metrics": ["bounce_rate"], "filters": [["is", "event_name", ["buy"]]]}, "filters[0][1]", "entry_page"),
        ({"filters": [["equals", "country", ["DE"]]]}, "filters[0][0]", "starts_with"),
        ({"filters": [["is", "user_id", ["ann"]]]}, "filters[0][1]", "no person is named"),
        ({"filters": [["is", "country", []]]}, "filters[0][2]", "1 to 100"),
        ({"filters": {"country": "DE"}}, "filters", "at most 20"),
        ({"date_range": "8d"}, "date_range", "30d"),
        ({"date_range": ["2026-11-03", "2026-11-03"]}, "date_range", "to is exclusive"),
        ({"date_range": ["2026-02-30", "2026-03-03"]}, "date_range[0]", "YYYY-MM-DD"),
        ({"date_range": ["2026-02-20", "2026-03-03T00:00:00"]}, "date_range[1]", "RFC 3339"),
        ({"date_range": ["1999-01-01", "2026-03-03"]}, "date_range", "3660 days"),
        ({"granularity": "quarter"}, "granularity", "month, auto"),
        ({"date_range": ["2024-01-01", "2026-01-01"], "granularity": "hour"}, "granularity", "10000 points"),
        ({"compare": "last_week"}, "compare", "previous_year"),
        ({"compare": "previous_period", "date_range": "all"}, "compare", "a beginning"),
        ({"order_by": [["events", "desc"]]}, "order_by[0]", "page_views"),
        ({"order_by": [["page_views", "down"]]}, "order_by[0]", "asc or desc"),
        ({"order_by": "page_views"}, "order_by", "page_views"),
        ({"limit": 0}, "limit", "1 to 10000"),
        ({"limit": True}, "limit", "1 to 10000"),
        ({"limit": "10"}, "limit", "1 to 10000"),
        ({"cursor": "bm90IG91cnM="}, "cursor", "next_cursor"),
        ({"cursor": 7}, "cursor", "next_cursor"),
        ({"include_bots": "yes"}, "include_bots", "true or false"),
        ({"metrics": ["conversion_rate"]}, "goal", "saved goal"),
        ({"goal": 7}, "goal", "saved goal"),
        ({"metrics": ["dau"], "granularity": "hour"}, "granularity", "day"),
    ],
)
def test_what_breaks_a_rule_is_refused_with_the_field_and_what_it_may_be(
    fields: dict[str, Any], field: str, allowed: str
) -> None:
    with pytest.raises(InvalidParameter) as refusal:
        parse({"metrics": ["page_views"], **fields}, SHOP, NOW)
    assert refusal.value.field == field
    assert allowed.casefold() in refusal.value.rule.casefold()
