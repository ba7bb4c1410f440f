"""One query service for all tests of this folder: three days of a shop in the marts, four events in the lake."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from eventmill.control import dashboards, definitions
from eventmill.control.definitions import COHORT
from eventmill.lake import create_tables, lake_directory
from eventmill.settings import Settings
from tests.lake_of import HandMadeLake, event
from tests.shop_service import COMPLETE, Service, fill, make_apps

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def service(graphql_rollups: Any, start_lasting_query_service: Callable[[str], Settings]) -> Service:
    keys = make_apps(graphql_rollups.address)
    fill(graphql_rollups)
    save(graphql_rollups)
    settings = start_lasting_query_service(graphql_rollups.address)
    create_tables(settings)
    fill_lake(HandMadeLake(lake_directory(settings)))
    return Service(f"http://127.0.0.1:{settings.http_port}", settings, keys)


def save(rollups: Any) -> None:
    """A cohort with two cells, and a dashboard."""
    with psycopg.connect(rollups.address) as connection:
        cohort = definitions.create(connection, COHORT, "shop", "Buyers", {"filter": {"event_type": "purchase"}}).id
        dashboards.create(connection, "shop", "Board", [])
    of = {"app_id": "shop", "cohort_id": cohort, "interval_kind": "week", "mode": "on", "recurrence": "first_time"}
    for offset, returned, is_incomplete in [(0, 10, False), (1, 4, True)]:
        cell = {"cohort_date": date(2026, 3, 2), "period_offset": offset, "computed_at": COMPLETE}
        counts = {"cohort_size": 10, "returning_users": returned, "is_incomplete": is_incomplete}
        rollups.insert("rollups.cohort_retention", of | cell | counts)


def fill_lake(lake: HandMadeLake) -> None:
    """Four events of the shop: two pages, one of them seen twice, and a purchase."""
    minute = timedelta(minutes=1)
    lake.append(
        [
            event("1", NOON, anonymous_id="ann", page_url="/a", referrer="https://x.example/", properties='{"a":1}'),
            event("2", NOON + minute, anonymous_id="ann", page_url="/b", device_type="mobile"),
            event("3", NOON + 2 * minute, anonymous_id="bob", user_id="u1", session_id="s1", page_url="/a"),
            event("4", NOON + 3 * minute, anonymous_id="ann", event_type="purchase"),
        ]
    )
