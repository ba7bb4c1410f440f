"""`/api/accounting` as its users meet it: by hour and by day, with reasons and totals, honest about what lacks."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from eventmill.settings import Settings
from tests.shop_service import DAYS, DIRTY, SPAN, Service, fill, make_apps

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def service(module_rollups: Any, start_query_service: Callable[[str], Settings]) -> Iterator[Service]:
    keys = make_apps(module_rollups.address)
    fill(module_rollups)
    settings = start_query_service(module_rollups.address)
    return Service(f"http://127.0.0.1:{settings.http_port}", settings, keys)


def test_the_accounts_of_a_day_add_up_its_hours_with_their_reasons(service: Service) -> None:
    first, second = service.data("/api/accounting", **SPAN)
    assert first == {
        "timestamp": "2026-03-07T00:00:00-05:00",
        "received": 150,
        "stored": 143,
        "window_duplicate": 0,
        "quarantined": 5,
        "filtered": 2,
        "flagged": 2,
        "counted": 140,
        "later_duplicate": 3,
        "balanced": True,
        "complete": True,
        "quarantined_fraction": 5 / 150,
        "last_received_at": "2026-03-08T04:40:00Z",
        "reasons": {"quarantined": {"too_old": 4, "too_deep": 1}, "filtered": {"host": 2}},
    }
    assert (second["timestamp"], second["balanced"]) == ("2026-03-08T00:00:00-05:00", False)


def test_the_accounts_of_hours_are_those_of_utc_hours_with_totals(service: Service) -> None:
    answer = service.get("/api/accounting", granularity="hour", **SPAN).json()
    assert [(row["timestamp"], row["received"], row["balanced"]) for row in answer["data"]] == [
        ("2026-03-07T01:00:00-05:00", 100, True),
        ("2026-03-07T23:00:00-05:00", 50, True),
        ("2026-03-08T08:00:00-04:00", 10, False),
    ]
    totals = answer["meta"]["totals"]
    assert (totals["received"], totals["counted"], totals["later_duplicate"]) == (160, 149, 3)
    assert (totals["balanced"], totals["complete"]) == (False, True)
    assert totals["reasons"] == {"quarantined": {"too_old": 4, "too_deep": 1}, "filtered": {"host": 2}}
    assert service.data("/api/accounting", key="rival", **SPAN) == []


def test_an_hour_is_not_complete_while_an_hour_of_the_app_lags_behind(
    rollups: Any, start_query_service: Callable[[str], Settings]
) -> None:
    keys = make_apps(rollups.address)
    fill(rollups)
    lagging = {"table_name": "metric", "app_id": "shop", "grain": "hour", "period_start": DIRTY, "local_date": DAYS[2]}
    since = datetime(2026, 3, 8, 5, tzinfo=UTC)
    lagging |= {"wanted_version": 6, "computed_version": 5, "period_end": DIRTY, "dirty_since": since}
    rollups.insert("rollups.periods", lagging)
    rollups.execute("insert into rollups.silence values ('shop', '2026-03-08 12:40+00')")
    settings = start_query_service(rollups.address)
    service = Service(f"http://127.0.0.1:{settings.http_port}", settings, keys)
    answer = service.get("/api/accounting", granularity="hour", **SPAN).json()
    assert [row["complete"] for row in answer["data"]] == [True, True, False]
    assert answer["meta"]["silent_since"] == "2026-03-08T12:40:00Z"
    assert [app["silent_since"] for app in service.data("/api/apps")] == ["2026-03-08T12:40:00Z"]
