"""Fixtures of the tests that read the marts: dbt builds them once, and tests get copies of that database."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row

from eventmill import dbt
from eventmill.embedded.nats import NatsServer
from eventmill.embedded.postgres import PostgresServer
from eventmill.settings import Settings
from tests.databases import drop_database
from tests.streams import make_stream
from tests.workers import free_ports

NUMBERS = count(1)
TEMPLATE = "template_marts"


class Rollups:
    """Writes rows into the tables that the pipeline fills, and reads what comes of them."""

    def __init__(self, address: str) -> None:
        self.address = address

    def metric(self, traffic: str, dimension: str, value: str | None, **columns: Any) -> None:
        """A row of rollups.metric, of a day of the app `shop` unless told otherwise; value None means not_set."""
        kind = "total" if dimension == "total" else "not_set" if value is None else "value"
        row = {
            "app_id": "shop",
            "grain": "day",
            "period_start": datetime(2026, 11, 1, 4, tzinfo=UTC),
            "local_date": date(2026, 11, 1),
            "local_hour": None,
            "utc_offset_minutes": -240,
            "traffic": traffic,
            "dimension": dimension,
            "value_kind": kind,
            "value": value or "",
            "computed_at": datetime(2026, 11, 1, 12, tzinfo=UTC),
        }
        counts = dict.fromkeys(("events", "page_views", "users", "visitors", "sessions"), 0)
        self.insert("rollups.metric", row | counts | columns)

    def sessions(self, traffic: str, dimension: str, value: str | None, **columns: Any) -> None:
        """A row of rollups.session_metric, as `metric`; every session has a view unless told otherwise."""
        row = {
            "app_id": "shop",
            "grain": "day",
            "period_start": datetime(2026, 11, 1, 4, tzinfo=UTC),
            "local_date": date(2026, 11, 1),
            "utc_offset_minutes": -240,
            "traffic": traffic,
            "dimension": dimension,
            "value_kind": "total" if dimension == "total" else "not_set" if value is None else "value",
            "value": value or "",
            "computed_at": datetime(2026, 11, 1, 12, tzinfo=UTC),
            "sessions_with_views": columns.get("sessions_started", 0),
        }
        counts = dict.fromkeys(("sessions_started", "bounces", "views", "events", "duration_seconds"), 0)
        self.insert("rollups.session_metric", row | counts | columns)

    def insert(self, table: str, row: dict[str, Any]) -> None:
        """One row of any table; its app exists then, since the marts show no others."""
        if "app_id" in row:
            self.execute("insert into control.org (org_id) values ('default') on conflict do nothing")
            self.execute(
                "insert into control.app (app_id, name, org_id) values (%(app_id)s, %(app_id)s, 'default')"
                " on conflict do nothing",
                row,
            )
        names, places = ", ".join(row), ", ".join(f"%({name})s" for name in row)
        self.execute(f"insert into {table} ({names}) values ({places})", row)

    def execute(self, statement: str, values: dict[str, Any] | None = None) -> None:
        """Any statement, committed."""
        with psycopg.connect(self.address) as connection:
            connection.execute(statement, values)

    def rows(self, query: str) -> list[dict[str, Any]]:
        """Rows by column name."""
        with psycopg.connect(self.address, row_factory=dict_row) as connection:
            return connection.execute(query).fetchall()

    def tuples(self, query: str) -> list[tuple[Any, ...]]:
        """Rows by position."""
        return [tuple(row.values()) for row in self.rows(query)]


@pytest.fixture(scope="session")
def marts_home(new_directory: Callable[[], Path]) -> Path:
    """A home with dbt's manifest of the marts, once `_marts_template` has built them."""
    return new_directory()


@pytest.fixture(scope="session")
def _marts_template(postgres: PostgresServer, _migrated_template: str, marts_home: Path) -> str:
    """A migrated database with the marts that the databases of the tests are copied from."""
    with psycopg.connect(postgres.address(), autocommit=True) as connection:
        connection.execute(f"create database {TEMPLATE} template {_migrated_template}")
    dbt.build_marts(Settings(home=marts_home, database_url=postgres.address(TEMPLATE)))
    return TEMPLATE


def _copy(postgres: PostgresServer, template: str) -> Iterator[Rollups]:
    name = f"marts_{next(NUMBERS)}"
    with psycopg.connect(postgres.address(), autocommit=True) as connection:
        connection.execute(f"create database {name} template {template}")
        yield Rollups(postgres.address(name))
        drop_database(connection, name)


@pytest.fixture
def rollups(postgres: PostgresServer, _marts_template: str) -> Iterator[Rollups]:
    """A fresh database with all migrations applied and all marts built."""
    yield from _copy(postgres, _marts_template)


@pytest.fixture(scope="module")
def module_rollups(postgres: PostgresServer, _marts_template: str) -> Iterator[Rollups]:
    """As `rollups`, one for all tests of a module that only read it."""
    yield from _copy(postgres, _marts_template)


@pytest.fixture(scope="session")
def session_rollups(postgres: PostgresServer, _marts_template: str) -> Iterator[Rollups]:
    """As `rollups`, one for all tests that share a query service."""
    yield from _copy(postgres, _marts_template)


@pytest.fixture(scope="session")
def graphql_rollups(postgres: PostgresServer, _marts_template: str) -> Iterator[Rollups]:
    """As `rollups`, one for all tests of GraphQL."""
    yield from _copy(postgres, _marts_template)


@pytest.fixture(scope="module")
def start_query_service(
    new_directory: Callable[[], Path], start_nats: Callable[[], NatsServer]
) -> Iterator[Callable[..., Settings]]:
    """Starts `python -m query_service` over a database and a broker of its own; returns its settings once it is ready.

    What is named besides the address are further settings of that process. It ends with the tests of the file.
    """
    yield from _starting(new_directory, start_nats)


@pytest.fixture(scope="session")
def start_lasting_query_service(
    new_directory: Callable[[], Path], start_nats: Callable[[], NatsServer]
) -> Iterator[Callable[..., Settings]]:
    """As `start_query_service`, for services that several files share."""
    yield from _starting(new_directory, start_nats)


def _starting(
    new_directory: Callable[[], Path], start_nats: Callable[[], NatsServer]
) -> Iterator[Callable[..., Settings]]:
    processes = []

    def start(address: str, **more: str) -> Settings:
        (port,) = free_ports(1)
        nats_url = f"nats://127.0.0.1:{start_nats().port}"
        settings = Settings(home=new_directory(), database_url=address, nats_url=nats_url, http_port=port)
        make_stream(settings)
        variables = {"HOME": str(settings.home), "DATABASE_URL": address, "NATS_URL": nats_url, "HTTP_PORT": str(port)}
        variables |= {name.upper(): value for name, value in more.items()}
        environment = {**os.environ, **{f"EVENTMILL_{name}": value for name, value in variables.items()}}
        processes.append(subprocess.Popen([sys.executable, "-m", "query_service"], env=environment))
        _wait_until_ready(f"http://127.0.0.1:{port}/health/ready")
        return settings

    yield start
    for process in processes:
        process.send_signal(signal.SIGTERM)
    assert [process.wait(30) for process in processes] == [0] * len(processes)


def _wait_until_ready(url: str) -> None:
    for _ in range(600):
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            pass  # not listening yet
        time.sleep(0.1)
    raise AssertionError(f"{url} did not become ready within 60 s")
