"""Statements: fixed texts, every value bound, always of one app."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from query_service.query import model, sql
from query_service.query.sql import Plan
from query_service.query.timeseries import timeseries_query

NOW = datetime(2026, 11, 20, 20, 30, tzinfo=UTC)
TENANT = model.Tenant("shop", ZoneInfo("America/New_York"))
HOSTILE = "' or true --"


def plans() -> dict[str, Plan]:
    return {
        "daily": sql.plan_daily(model.daily_query({"event_name": HOSTILE, "limit": "7"}, TENANT, NOW)),
        "days": sql.plan_timeseries(timeseries_query({"event_type": HOSTILE}, TENANT, NOW)),
        "hours": sql.plan_timeseries(timeseries_query({"event_type": HOSTILE, "granularity": "hour"}, TENANT, NOW)),
        "pages": sql.plan_top_pages(model.top_pages_query({}, TENANT, NOW)),
        "today": sql.plan_today(model.today_query(TENANT, NOW)),
    }


@pytest.mark.parametrize("name", sorted(plans()))
def test_values_are_bound_and_the_app_is_always_one_of_them(name: str) -> None:
    plan = plans()[name]
    assert HOSTILE not in plan.text
    assert "app_id = %(app_id)s" in plan.text
    assert plan.values["app_id"] == plan.app_id == "shop"
    assert all(f"%({value})s" in plan.text for value in plan.values)


def test_a_page_of_rows_asks_for_one_more_to_know_whether_there_is_a_next() -> None:
    assert plans()["daily"].values["limit"] == 8


def test_freshness_is_that_of_the_periods_that_the_range_touches() -> None:
    today = plans()["today"]
    assert today.covered == (datetime(2026, 11, 20, 5, tzinfo=UTC), datetime(2026, 11, 21, 5, tzinfo=UTC))
    assert (today.grain, plans()["hours"].grain) == ("day", "hour")
    assert plans()["pages"].tables == (sql.METRIC, sql.SESSIONS)
