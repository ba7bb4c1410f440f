"""Fixtures of the tests that read the marts: dbt builds them once, and each test gets a copy of that database."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest

from eventmill import dbt
from eventmill.embedded.postgres import PostgresServer
from eventmill.settings import Settings

NUMBERS = count(1)
TEMPLATE = "template_marts"


@pytest.fixture(scope="session")
def _marts_template(postgres: PostgresServer, _migrated_template: str, new_directory: Callable[[], Path]) -> str:
    """A migrated database with the marts that the databases of the tests are copied from."""
    with psycopg.connect(postgres.address(), autocommit=True) as connection:
        connection.execute(f"create database {TEMPLATE} template {_migrated_template}")
    dbt.build_marts(Settings(home=new_directory(), database_url=postgres.address(TEMPLATE)))
    return TEMPLATE


@pytest.fixture
def marts_database(postgres: PostgresServer, _marts_template: str) -> Iterator[str]:
    """`postgresql://…` address of a fresh database with all migrations applied and all marts built."""
    name = f"marts_{next(NUMBERS)}"
    with psycopg.connect(postgres.address(), autocommit=True) as connection:
        connection.execute(f"create database {name} template {_marts_template}")
        yield postgres.address(name)
        connection.execute(f"drop database {name} with (force)")
