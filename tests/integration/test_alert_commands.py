"""`eventmill alert` and `eventmill webhook` as people use them."""

import json
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner

from eventmill.cli import main
from eventmill.control.apps import create_app
from eventmill.control.webhooks import checked_url
from eventmill.errors import EventmillError
from eventmill.settings import Settings

pytestmark = pytest.mark.integration
URL = "https://hooks.example.com/services/T0/token"


@pytest.fixture
def run(settings: Settings) -> Any:
    """Runs a command over a database with the app shop; its JSON, or the error's text."""
    with psycopg.connect(str(settings.database_url)) as connection:
        create_app(connection, "Shop", app_id="shop")
    environment = {"EVENTMILL_HOME": str(settings.home), "EVENTMILL_DATABASE_URL": str(settings.database_url)}

    def invoke(*arguments: str) -> Any:
        answer = CliRunner().invoke(main, [*arguments, "--json"], env=environment)
        assert "Traceback" not in answer.output
        return json.loads(answer.output) if answer.exit_code == 0 else answer.output

    return invoke


def test_an_alert_is_created_listed_shown_and_deleted(run: Any) -> None:
    rule = ("--metric", "events", "--dimension", "event_type", "--value", "buy", "--below", "10", "--for", "5")
    made = run("alert", "create", "few orders", "--app", "shop", *rule)
    assert made["condition"] == "events of event_type buy < 10 in the hour"
    (listed,) = run("alert", "list", "--app", "shop")
    assert (listed["name"], listed["for_minutes"], listed["value_now"]) == ("few orders", 5, None)
    assert run("alert", "show", "few orders", "--app", "shop")["history"] == []
    assert run("alert", "delete", "few orders", "--app", "shop")["deleted"] is True
    assert "has no alert 'few orders'" in run("alert", "show", "few orders", "--app", "shop")


def test_an_alert_that_cannot_be_names_field_and_rule_and_leaves_nothing(run: Any) -> None:
    answer = run("alert", "create", "x", "--app", "shop", "--metric", "clicks", "--above", "1", "--webhook", URL)
    assert "metric: 'clicks' is none." in answer
    assert "Rule: One of events" in answer
    assert run("webhook", "list") == []
    assert "exactly one of" in run("alert", "create", "x", "--app", "shop", "--metric", "events")


def test_an_alert_may_have_an_address_of_its_own_which_is_shown_without_its_path(run: Any) -> None:
    run("alert", "create", "x", "--app", "shop", "--metric", "events", "--above", "1", "--webhook", URL)
    (hook,) = run("webhook", "list", "--app", "shop")
    assert (hook["host"], hook["kinds"], hook["pending"]) == ("https://hooks.example.com/…", [], 0)
    assert "token" not in json.dumps(hook)
    assert "Alerts go there: shop/x" in run("webhook", "delete", hook["webhook_id"])
    run("alert", "delete", "x", "--app", "shop")
    assert run("webhook", "delete", hook["webhook_id"])["deleted"] is True


def test_a_secret_is_shown_once(run: Any) -> None:
    made = run("webhook", "create", URL, "--sign")
    assert made["secret"].startswith("whsec_")
    assert "secret" not in run("webhook", "list")[0]


def test_a_test_message_that_is_not_taken_says_so_without_the_address(run: Any) -> None:
    made = run("webhook", "create", "http://127.0.0.1:1/token")
    answer = run("webhook", "test", made["webhook_id"])
    assert "http://127.0.0.1:1/… did not take it: ConnectError." in answer
    assert "token" not in answer


@pytest.mark.parametrize(
    "url",
    ["", "hooks.example.com", "ftp://x", "https://", "https://u:p@x", "https://x/ y", "https://x:99999/", "https://ü"],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(EventmillError, match=r"^url: "):
        checked_url(url)
