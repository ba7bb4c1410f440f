"""A Flight server over a shop's three days, for every module here."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from eventmill.control import flight_access
from eventmill.control.credentials import issue_key
from eventmill.settings import Settings
from tests.flight_service import FlightService, serving
from tests.shop_service import fill, make_apps


@pytest.fixture(scope="module")
def shop(module_rollups: Any) -> tuple[Any, dict[str, str]]:
    """A database with the shop's numbers, and keys."""
    keys = make_apps(module_rollups.address)
    fill(module_rollups)
    module_rollups.metric("all", "event_type", "secret", app_id="rival", events=1000, local_date=date(2026, 3, 7))
    with psycopg.connect(module_rollups.address) as connection:
        flight_access.prepare(connection)
        past = datetime(2026, 1, 1, tzinfo=UTC)
        keys["expired"] = issue_key(connection, "default", "read", ["shop"], expires_at=past)
    return module_rollups, keys


@pytest.fixture(scope="module")
def settings_of_shop(shop: tuple[Any, dict[str, str]], new_directory: Callable[[], Path]) -> Settings:
    return Settings(home=new_directory(), database_url=shop[0].address)


@pytest.fixture(scope="module")
def service(shop: tuple[Any, dict[str, str]], settings_of_shop: Settings) -> Iterator[FlightService]:
    with serving(settings_of_shop, shop[1]) as running:
        yield running
