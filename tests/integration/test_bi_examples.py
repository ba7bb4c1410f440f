"""The examples of docs/bi.md and of the README run as they stand, as a role that `eventmill bi grant` makes."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from eventmill.control import bi_roles

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "bi.md").read_text(encoding="utf-8")
README = (
    (ROOT / "README.md").read_text(encoding="utf-8").partition("### Read the numbers with SQL")[2].partition("\n##")[0]
)
PYTHON = re.findall(r"^```python\n(.*?)^```", TEXT + README, re.MULTILINE | re.DOTALL)
COMMANDS = [shlex.split(line) for line in re.findall(r"^psql .*$", TEXT + README, re.MULTILINE)]


@pytest.fixture(scope="module")
def environment(module_rollups: Any) -> Iterator[dict[str, str]]:
    """PGHOST, PGUSER, … of a role that sees a shop with a day of numbers."""
    for traffic in ("human", "all"):
        module_rollups.metric(traffic, "total", None, events=9, visitors=3, sessions=2)
        module_rollups.metric(traffic, "event_type", "click", events=9, visitors=3, sessions=2)
        module_rollups.metric(traffic, "page_url", "/cart", grain="month", page_views=9, visitors=3)
    with psycopg.connect(module_rollups.address) as owner:
        granted = bi_roles.grant(owner, ["shop"], "bi_examples")
    address = conninfo_to_dict(module_rollups.address)
    place = {"PGHOST": address["host"], "PGPORT": address["port"], "PGDATABASE": address["dbname"]}
    yield {name: str(value) for name, value in place.items()} | {"PGUSER": granted.role, "PGPASSWORD": granted.password}
    with psycopg.connect(module_rollups.address) as owner:
        bi_roles.revoke(owner, None, granted.role)


@pytest.mark.parametrize("program", PYTHON, ids=range(len(PYTHON)))
def test_every_python_example_prints_numbers(environment: dict[str, str], program: str) -> None:
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "3" in result.stdout


@pytest.mark.parametrize("words", COMMANDS, ids=range(len(COMMANDS)))
def test_every_psql_example_is_a_query_that_the_role_may_ask(
    environment: dict[str, str], words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert words[:2] == ["psql", "--command"]
    with psycopg.connect() as connection:
        assert connection.execute(words[2]).description


def test_there_are_examples_of_each_kind() -> None:
    assert len(PYTHON) == 3
    assert len(COMMANDS) == 4
