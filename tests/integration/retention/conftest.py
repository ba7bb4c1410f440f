"""A lake made by hand, and apps that keep events for 30 days or for ever."""

from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest

from eventmill import lake as lake_tables
from eventmill import warehouse
from eventmill.control import apps
from eventmill.lake import lake_directory
from eventmill.settings import Settings
from tests.lake_of import HandMadeLake

NOW = datetime(2026, 5, 12, 14, 20, tzinfo=UTC)


@pytest.fixture
def lake(settings: Settings) -> HandMadeLake:
    lake_tables.create_tables(settings)
    return HandMadeLake(lake_directory(settings))


@pytest.fixture
def connection(settings: Settings) -> Iterator[psycopg.Connection]:
    """`shop` and `peak` keep events for 30 days, `east` for ever."""
    connection = warehouse.connect(settings, autocommit=True)
    for app_id, days in (("shop", 30), ("peak", 30), ("east", 0)):
        apps.create_app(connection, app_id, app_id=app_id)
        connection.execute("update control.app set retention_days = %s where app_id = %s", [days, app_id])
    yield connection
    connection.close()
