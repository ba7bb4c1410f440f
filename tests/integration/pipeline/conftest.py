"""A lake made by hand, the apps it holds events of, and a refresher with a clock of its own."""

from collections.abc import Iterator
from functools import partial

import psycopg
import pytest

from analytics_pipeline.engines.connection import connect
from analytics_pipeline.refresh import Refresher
from eventmill import warehouse
from eventmill.control import apps
from eventmill.lake import lake_directory
from eventmill.settings import Settings
from tests.lake_of import ZONES, Clock, HandMadeLake


@pytest.fixture
def lake(settings: Settings) -> HandMadeLake:
    return HandMadeLake(lake_directory(settings))


@pytest.fixture
def connection(settings: Settings) -> Iterator[psycopg.Connection]:
    connection = warehouse.connect(settings, autocommit=True)
    for app_id, zone in ZONES.items():
        apps.create_app(connection, app_id, app_id=app_id, time_zone=zone.key)
    yield connection
    connection.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def refresher(settings: Settings, connection: psycopg.Connection, clock: Clock) -> Refresher:
    return Refresher(settings, partial(connect, settings), partial(connect, settings), clock)
