"""`eventmill filter`, `eventmill plan`, and what `eventmill app` says of rates and origins."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from eventmill.cli import main
from eventmill.control.credentials import authenticate
from eventmill.settings import Settings
from eventmill.warehouse import connect

pytestmark = pytest.mark.integration

SCHEMA = {"properties": {"price": {"type": "number"}}, "required": ["price"], "additionalProperties": False}


class Shell:
    """Runs commands on an installation with an app `shop`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.write_key = self.json("app", "create", "shop")["write_key"]

    def run(self, *arguments: str) -> Result:
        variables = {
            "EVENTMILL_HOME": str(self.settings.home),
            "EVENTMILL_DATABASE_URL": self.settings.database_address,
        }
        return CliRunner().invoke(main, arguments, env=variables)

    def json(self, *arguments: str) -> Any:
        answer = self.run(*arguments, "--json")
        assert answer.exit_code == 0, answer.output
        return json.loads(answer.output)

    def origins(self, key: str) -> tuple[str, ...]:
        with connect(self.settings) as connection:
            credential = authenticate(connection, key)
        assert credential is not None
        return credential.allowed_origins


@pytest.fixture
def shell(settings: Settings) -> Shell:
    return Shell(settings)


def test_filters_are_added_listed_and_removed(shell: Shell) -> None:
    for kind, pattern in [("--address", "10.1.2.3/8"), ("--host", "Staging.*"), ("--path", "/admin/*")]:
        assert shell.json("filter", "add", "--app", "shop", kind, pattern)["added"] is True
    listed = shell.json("filter", "list", "--app", "shop")
    assert [row["pattern"] for row in listed] == ["10.0.0.0/8", "staging.*", "/admin/*"]
    shell.json("filter", "remove", "--app", "shop", "--host", "staging.*")
    assert "staging" not in shell.run("filter", "list", "--app", "shop").output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("filter", "add", "--app", "shop", "--address", "office"), "address: 'office'"),
        (("filter", "add", "--app", "shop", "--path", "admin"), "path: must start with /"),
        (("filter", "add", "--app", "shop"), "exactly one of"),
        (("filter", "add", "--app", "none", "--path", "/a"), "There is no app 'none'"),
        (("filter", "remove", "--app", "shop", "--path", "/a"), "has no filter path '/a'"),
        (("app", "update", "shop", "--allow-origin", "example.org"), "allowed_origins: 'example.org'"),
        (("app", "update", "shop", "--allow-origin", "none", "--allow-origin", "*"), "stands alone"),
        (("app", "update", "shop", "--events-per-second", "-1"), "events_per_second must be 0"),
        (("plan", "show", "--app", "shop", "--event-type", "x"), "has no event type 'x'"),
    ],
)
def test_an_error_names_field_and_rule(shell: Shell, arguments: tuple[str, ...], message: str) -> None:
    answer = shell.run(*arguments)
    assert answer.exit_code != 0
    assert message in answer.output
    assert "Traceback" not in answer.output


def set_plan(shell: Shell, folder: Path, action: str = "omit") -> Path:
    file = folder / "purchase.json"
    file.write_text(json.dumps(SCHEMA))
    shell.json("plan", "set", "--app", "shop", "--event-type", "purchase", "--schema", str(file), "--action", action)
    return file


def test_a_plan_is_set_shown_listed_and_deleted(shell: Shell, tmp_path: Path) -> None:
    file = set_plan(shell, tmp_path)
    assert shell.run("plan", "show", "--app", "shop", "--event-type", "purchase").output == file.read_text() + "\n"
    (listed,) = shell.json("plan", "list", "--app", "shop")
    assert (listed["event_type"], listed["action"], listed["schema"]) == ("purchase", "omit", SCHEMA)
    shell.json("plan", "delete", "--app", "shop", "--event-type", "purchase")
    assert shell.json("plan", "list", "--app", "shop") == []


def test_a_schema_that_breaks_a_rule_is_refused_with_its_place(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "wrong.json"
    file.write_text('{"properties": {"price": {"type": "nummer"}}}')
    answer = shell.run(
        "plan", "set", "--app", "shop", "--event-type", "purchase", "--schema", str(file), "--action", "flag"
    )
    assert answer.exit_code == 1
    assert "#/properties/price/type" in answer.output


def events_file(folder: Path) -> Path:
    file = folder / "events.ndjson"
    events = [
        {"event_type": "purchase", "user_id": "u", "properties": {"price": 1}},
        {"event_type": "purchase", "user_id": "u", "properties": {"price": "1", "colour": "red"}},
        {"event_type": "click", "user_id": "u", "properties": {"anything": 1}},
        {"event_type": "click"},
    ]
    file.write_text("\n\n".join(json.dumps(event) for event in events) + "\n")
    return file


def test_check_says_which_events_would_violate_what(shell: Shell, tmp_path: Path) -> None:
    set_plan(shell, tmp_path)
    answer = shell.run("plan", "check", "--app", "shop", str(events_file(tmp_path)), "--json")
    assert answer.exit_code == 1
    found = json.loads(answer.output)
    assert found["events"] == 4
    violation, invalid = found["findings"]
    assert (violation["line"], violation["action"], violation["path"]) == (3, "omit", "$.properties.price")
    assert violation["properties_left"] == "{}"
    assert (invalid["line"], invalid["action"], invalid["reason"]) == (7, "quarantine", "missing_identity")


def test_check_tries_a_schema_that_is_not_set(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "click.json"
    file.write_text('{"required": ["target"]}')
    tried = ("--event-type", "click", "--schema", str(file), "--action", "quarantine")
    answer = shell.run("plan", "check", "--app", "shop", str(events_file(tmp_path)), *tried)
    assert answer.exit_code == 1
    assert '"target" is a required property' in " ".join(answer.output.split())
    assert shell.json("plan", "list", "--app", "shop") == []


def test_check_without_a_plan_says_so(shell: Shell, tmp_path: Path) -> None:
    answer = shell.run("plan", "check", "--app", "shop", str(events_file(tmp_path)))
    assert answer.exit_code == 1
    assert "has no tracking plan" in answer.output


def test_origins_come_with_the_app_change_and_survive_a_new_key(shell: Shell) -> None:
    created = shell.json("app", "create", "blog", "--allow-origin", "https://blog.example")
    assert shell.origins(created["write_key"]) == ("https://blog.example",)
    assert shell.origins(shell.write_key) == ("*",)
    changed = shell.json(
        "app", "update", "shop", "--allow-origin", "https://a.example", "--allow-origin", "https://b.example"
    )
    assert changed["allowed_origins"] == ["https://a.example", "https://b.example"]
    rotated = shell.json("app", "rotate-key", "shop")["write_key"]
    assert shell.origins(rotated) == ("https://a.example", "https://b.example")
    shell.json("app", "update", "shop", "--allow-origin", "none")
    assert shell.origins(rotated) == ()


def test_a_rate_is_changed(shell: Shell) -> None:
    assert shell.json("app", "update", "shop", "--events-per-second", "500")["events_per_second"] == 500


@pytest.mark.parametrize("command", ["add", "list", "remove"])
def test_help_of_filters_has_an_example(shell: Shell, command: str) -> None:
    assert f"eventmill filter {command} --app" in shell.run("filter", command, "--help").output


@pytest.mark.parametrize("command", ["set", "list", "show", "delete", "check"])
def test_help_of_plans_has_an_example(shell: Shell, command: str) -> None:
    assert f"eventmill plan {command} --app" in shell.run("plan", command, "--help").output
