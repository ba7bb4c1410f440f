"""Which questions count visitors over several days of their app."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from query_service.query.model import Tenant
from query_service.query.spec import parse
from query_service.query.uniques import span_days

KATHMANDU = Tenant("peak", ZoneInfo("Asia/Kathmandu"))
NOW = datetime(2026, 5, 12, 14, 20, tzinfo=UTC)


def asked(date_range: Any, granularity: str | None = None, metric: str = "unique_visitors") -> bool:
    question = {"metrics": [metric], "date_range": date_range, "granularity": granularity}
    return span_days(parse(question, KATHMANDU, NOW))


@pytest.mark.parametrize("metric", ["unique_visitors", "unique_sessions"])
def test_totals_of_two_days_are_of_several_days(metric: str) -> None:
    assert asked(["2026-05-04", "2026-05-06"], metric=metric)


def test_users_have_ids_for_ever() -> None:
    assert not asked(["2026-05-04", "2026-05-11"], metric="unique_users")


@pytest.mark.parametrize("granularity", ["hour", "day"])
def test_hours_and_days_are_of_one_day(granularity: str) -> None:
    assert not asked(["2026-05-04", "2026-05-11"], granularity)


def test_a_day_is_one_of_the_apps_clock() -> None:
    local_day = ["2026-05-03T18:15:00Z", "2026-05-04T18:15:00Z"]
    assert not asked(local_day)
    assert asked(["2026-05-04T00:00:00Z", "2026-05-05T00:00:00Z"])


def test_a_week_that_the_range_cuts_down_to_a_day_is_of_one_day() -> None:
    sunday_and_monday = ["2026-05-10", "2026-05-12"]
    assert asked(sunday_and_monday)
    assert not asked(sunday_and_monday, "week")
