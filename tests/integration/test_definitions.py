"""Saved goals, cohorts and funnels: the commands, the rules, and that results go with their definition."""

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result

from eventmill.cli import main
from eventmill.control import definitions
from eventmill.control.apps import create_app
from eventmill.control.definitions import COHORT, GOAL
from eventmill.errors import DefinitionError

pytestmark = pytest.mark.integration

PURCHASE = {"filter": {"event_type": "purchase"}}
WRONG = [
    ("goal create Bought", "Give either --file or options"),
    ("goal create Bought --event-type x --filter no", "no JSON"),
    ('goal create Bought --filter ["is","colour",["x"]]', "filter.filters[0][1]: one of event_type"),
    ("goal create Bought --event-type x --identifier Bought", "identifier: 1 to 63 of a-z"),
    ("goal create 購入 --event-type x", "identifier: has to be given"),
    ("cohort create Pros --event-type x --from 2026", "from: a day of the app's time zone"),
    ("cohort create Pros --event-type x --from 2026-W01-1", "from: a day of the app's time zone"),
    ("cohort create Pros --event-type x --to 0001-01-01", "of the years 1971 to 2199"),
    ("funnel create Checkout --step x --step " + '{"a":' * 30_000, "no JSON"),
    ("cohort create Pros --event-type x --from 2026-01-02 --to 2026-01-02", "to: a day after from"),
    ("cohort create Pros --event-type x --at-least 0", "at_least: a whole number from 1"),
    ("cohort create Pros --event-type x --return-any --return-event-type y", "not both"),
    ("funnel create Checkout --step x --step y --days 0", "days: a whole number from 1"),
    ("funnel create Checkout --step x", "steps: a list of 2 to 20"),
    ("goal show missing", "has no goal 'missing'"),
    ("goal delete missing", "has no goal 'missing'"),
]


@pytest.fixture
def shop(database: str) -> str:
    """Address of a database with the app `shop`."""
    with psycopg.connect(database) as connection:
        create_app(connection, "Shop", app_id="shop")
    return database


def run(address: str, home: Path, *arguments: str) -> Result:
    variables = {"EVENTMILL_HOME": str(home), "EVENTMILL_DATABASE_URL": address}
    return CliRunner().invoke(main, arguments, env=variables)


def run_json(address: str, home: Path, *arguments: str) -> Any:
    answer = run(address, home, *arguments, "--json")
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.output)


def test_definitions_are_created_listed_shown_and_deleted(shop: str, tmp_path: Path) -> None:
    condition = '["is", "properties.plan", ["pro"]]'
    made = [
        run_json(shop, tmp_path, *words.split(), "--app", "shop", *more)
        for words, more in [
            ("goal create Bought --event-type purchase", ["--filter", condition]),
            ("cohort create Pros --event-type signup --from 2026-01-01 --at-least 2 --return-any", []),
            ("funnel create Checkout --step page_view --window 24h --days 7", ["--step", '{"event_name": "Pay"}']),
        ]
    ]
    assert [one["identifier"] for one in made] == ["bought", "pros", "checkout"]
    assert made[0]["definition"]["filter"] == {"event_type": "purchase", "filters": [json.loads(condition)]}
    assert made[1]["definition"] == {
        "filter": {"event_type": "signup"},
        "return_event": "any",
        "from": "2026-01-01",
        "at_least": 2,
        "include_bots": False,
    }
    steps = [{"event_type": "page_view"}, {"event_name": "Pay"}]
    assert made[2]["definition"] == {"steps": steps, "window": "24h", "days": 7}
    for kind, saved in zip(("goal", "cohort", "funnel"), made, strict=True):
        assert run_json(shop, tmp_path, kind, "list", "--app", "shop") == [saved]
        for reference in (saved["id"], saved["identifier"], saved["name"]):
            assert run_json(shop, tmp_path, kind, "show", "--app", "shop", reference) == saved
        assert run_json(shop, tmp_path, kind, "delete", "--app", "shop", saved["name"])["deleted"] is True
        assert run_json(shop, tmp_path, kind, "list", "--app", "shop") == []


def test_a_definition_can_come_from_a_file(shop: str, tmp_path: Path) -> None:
    file = tmp_path / "goal.json"
    file.write_text(json.dumps(PURCHASE))
    saved = run_json(shop, tmp_path, "goal", "create", "Bought", "--app", "shop", "--file", str(file))
    assert saved["definition"] == PURCHASE


def test_wrong_commands_name_the_field_and_the_rule(shop: str, tmp_path: Path) -> None:
    for words, message in WRONG:
        answer = run(shop, tmp_path, *words.split(), "--app", "shop")
        assert answer.exit_code != 0, words
        assert message in answer.output
        assert "Traceback" not in answer.output


def test_names_and_identifiers_are_unique_within_an_app(shop: str) -> None:
    with psycopg.connect(shop) as connection:
        definitions.create(connection, GOAL, "shop", "Bought", PURCHASE)
        definitions.create(connection, COHORT, "shop", "Bought", PURCHASE)
        with pytest.raises(DefinitionError, match="name: is taken by another goal"):
            definitions.create(connection, GOAL, "shop", "Bought", PURCHASE, "other")
        with pytest.raises(DefinitionError, match="identifier: is taken by another goal"):
            definitions.create(connection, GOAL, "shop", "Bought!", PURCHASE)
        create_app(connection, "Blog", app_id="blog")
        assert definitions.create(connection, GOAL, "blog", "Bought", PURCHASE).identifier == "bought"


def test_an_app_has_a_limited_number_of_definitions(shop: str) -> None:
    with psycopg.connect(shop) as connection:
        for number in range(COHORT.limit):
            definitions.create(connection, COHORT, "shop", f"Number {number}", PURCHASE)
        with pytest.raises(DefinitionError, match="at most 50"):
            definitions.create(connection, COHORT, "shop", "One more", PURCHASE)
        assert len(definitions.list_all(connection, COHORT, "shop")) == COHORT.limit
