"""`eventmill doctor` against real servers."""

import json
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner

from eventmill.cli import main
from eventmill.embedded.processes import environment
from eventmill.settings import Settings

pytestmark = pytest.mark.integration


def findings(settings: Settings) -> dict[str, dict[str, Any]]:
    answer = CliRunner().invoke(main, ["doctor", "--json"], env=environment(settings, {}))
    return {finding["check"]: finding for finding in json.loads(answer.output)}


def test_a_sound_installation_has_no_complaint(settings: Settings) -> None:
    assert {check: finding["ok"] for check, finding in findings(settings).items()} == dict.fromkeys(
        ["python", "wheels", "home", "disk", "ports", "postgres", "nats"], True
    )


def test_a_schema_left_behind_asks_for_a_migration(settings: Settings) -> None:
    with psycopg.connect(settings.database_address) as connection:
        connection.execute("update control.schema_versions set version = 1 where component = 'postgres'")
    finding = findings(settings)["postgres"]
    assert finding["ok"] is False
    assert finding["hint"] == "Run `eventmill migrate`."


def test_a_database_that_does_not_answer_is_named(settings: Settings) -> None:
    absent = settings.model_copy(update={"database_url": "postgresql://eventmill@127.0.0.1:1/eventmill"})
    finding = findings(absent)["postgres"]
    assert finding["ok"] is False
    assert "PostgreSQL does not answer" in finding["message"]
