"""The query service while Postgres is away: it says so, and answers again as soon as Postgres does."""

from collections.abc import Callable
from pathlib import Path

import httpx
import psycopg
import pytest

from eventmill import dbt
from eventmill.control.apps import create_app
from eventmill.control.migrate import migrate
from eventmill.embedded.children import Server
from eventmill.embedded.postgres import PostgresServer
from eventmill.settings import Settings

pytestmark = pytest.mark.integration


@pytest.fixture
def read_key(own_postgres: tuple[PostgresServer, Server], new_directory: Callable[[], Path]) -> str:
    """A read key of an app in a migrated database with marts."""
    address = own_postgres[0].address()
    with psycopg.connect(address) as connection:
        migrate(connection)
        _, keys = create_app(connection, "Shop")
    dbt.build_marts(Settings(home=new_directory(), database_url=address))
    return keys.read_key


def test_an_outage_of_postgres_is_told_and_survived(
    own_postgres: tuple[PostgresServer, Server], read_key: str, start_query_service: Callable[[str], Settings]
) -> None:
    postgres, server = own_postgres
    url = f"http://127.0.0.1:{start_query_service(postgres.address()).http_port}"
    headers = {"Authorization": f"Bearer {read_key}"}
    assert httpx.get(f"{url}/api/metrics/today", headers=headers).status_code == 200
    server.kill()
    away = httpx.get(f"{url}/api/metrics/today", headers=headers, timeout=20)
    assert (away.status_code, away.headers["content-type"]) == (503, "application/problem+json")
    assert int(away.headers["retry-after"]) > 0
    assert httpx.get(f"{url}/health/ready").status_code == 503
    assert httpx.get(f"{url}/health/live").status_code == 200
    again = postgres.server()
    again.start()
    statuses = [httpx.get(f"{url}/api/metrics/today", headers=headers, timeout=20).status_code for _ in range(5)]
    again.stop()
    assert statuses[-1] == 200
    assert set(statuses) <= {200, 503}
