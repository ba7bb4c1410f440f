"""`eventmill app …-key` and `eventmill audit` as people use them."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner

from eventmill.cli import main
from eventmill.control.apps import create_app
from eventmill.control.credentials import authenticate, issue_key
from eventmill.control.origins import key_origins

pytestmark = pytest.mark.integration


@pytest.fixture
def connection(database: str) -> Any:
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


@pytest.fixture
def run(connection: psycopg.Connection, database: str, new_directory: Callable[[], Path]) -> Any:
    """Runs a command over a database with the apps shop and blog; its JSON, or the error's text."""
    create_app(connection, "Shop", app_id="shop")
    create_app(connection, "Blog", app_id="blog")
    environment = {"EVENTMILL_HOME": str(new_directory()), "EVENTMILL_DATABASE_URL": database}

    def invoke(*arguments: str) -> Any:
        answer = CliRunner().invoke(main, [*arguments, "--json"], env=environment)
        assert "Traceback" not in answer.output
        return json.loads(answer.output) if answer.exit_code == 0 else answer.output

    return invoke


def test_a_key_with_people_is_made_listed_and_revoked(run: Any, connection: psycopg.Connection) -> None:
    made = run("app", "create-key", "shop", "--people", "--name", "support", "--expires-days", "90")
    found = authenticate(connection, made["key"])
    assert found is not None
    assert (found.kind, found.may_see_people, found.app_ids) == ("read", True, ("shop",))
    [listed] = [one for one in run("app", "keys", "shop") if one["prefix"] == made["prefix"]]
    assert (listed["name"], listed["scopes"], listed["revoked_at"]) == ("support", ["people"], None)
    assert "key" not in listed
    assert run("app", "revoke-key", "shop", made["prefix"])["revoked"] is True
    assert authenticate(connection, made["key"]) is None


def test_a_read_key_of_a_new_app_sees_no_people(run: Any, connection: psycopg.Connection) -> None:
    found = authenticate(connection, run("app", "rotate-key", "shop", "--kind", "read")["read_key"])
    assert found is not None
    assert found.may_see_people is False


def test_the_old_key_works_for_the_time_of_grace(run: Any, connection: psycopg.Connection) -> None:
    old = run("app", "rotate-key", "shop", "--kind", "read")["read_key"]
    new = run("app", "rotate-key", "shop", "--kind", "read", "--grace-hours", "2")["read_key"]
    found = authenticate(connection, old)
    assert found is not None
    assert found.expires_at is not None
    assert abs(found.expires_at - datetime.now(UTC) - timedelta(hours=2)) < timedelta(minutes=5)
    assert authenticate(connection, new) is not None
    newest = run("app", "rotate-key", "shop", "--kind", "read")["read_key"]
    assert [authenticate(connection, key) is None for key in (old, new, newest)] == [True, True, False]
    assert key_origins(connection, "shop", "write") == ["*"]


def test_revoking_a_key_of_several_apps_takes_one_of_them(run: Any, connection: psycopg.Connection) -> None:
    both = issue_key(connection, "default", "read", ["shop", "blog"])
    run("app", "revoke-key", "shop", both.split("_")[2])
    found = authenticate(connection, both)
    assert found is not None
    assert found.app_ids == ("blog",)


@pytest.mark.parametrize("reference", ["nonesuch", "00000000-0000-4000-8000-000000000000"])
def test_a_key_that_is_not_the_apps_is_refused(run: Any, reference: str) -> None:
    assert f"App 'shop' has no key '{reference}'." in run("app", "revoke-key", "shop", reference)


def test_commands_are_in_the_audit_log_with_who_gave_them(run: Any) -> None:
    run("app", "update", "shop", "--name", "Store")
    made = run("app", "create-key", "shop", "--kind", "admin")
    run("app", "revoke-key", "shop", made["prefix"])
    run("filter", "add", "--app", "shop", "--address", "192.0.2.7")
    run("app", "revoke-sign-ins", "mallory")
    entries = run("audit")
    assert [(one["action"], one["app_id"], one["target"]) for one in entries] == [
        ("subject.create", None, "mallory"),
        ("filter.create", "shop", "address"),
        ("key.revoke", "shop", made["prefix"]),
        ("key.create", "shop", made["prefix"]),
        ("app.update", "shop", "shop"),
    ]
    assert {one["actor"].partition(":")[0] for one in entries} == {"cli"}
    assert entries[-1]["details"] == {"changed": ["name"]}
    assert "192.0.2.7" not in json.dumps(entries)
    assert [one["action"] for one in run("audit", "--app", "blog")] == []
