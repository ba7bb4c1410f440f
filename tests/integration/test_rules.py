"""Filters, plans, rates and origins on a real PostgreSQL: what gateway and writer get to see of them."""

import json
from collections.abc import Iterator

import psycopg
import pytest

from eventmill.contracts.filters import FilterKind
from eventmill.contracts.plan import PlanAction
from eventmill.control import apps, filters, plans
from eventmill.control.credentials import Credential, authenticate, issue_key
from eventmill.control.origins import set_origins
from eventmill.control.rules import app_rules
from eventmill.errors import EventmillError

pytestmark = pytest.mark.integration

SCHEMA = json.dumps({"properties": {"price": {"type": "number"}}, "required": ["price"]}).encode()


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database) as connection:
        yield connection


@pytest.fixture
def keys(connection: psycopg.Connection) -> apps.IssuedKeys:
    """Keys of the app `shop`; there is an app `blog` too."""
    apps.create_app(connection, "blog")
    return apps.create_app(connection, "shop")[1]


def credential_of(connection: psycopg.Connection, key: str) -> Credential:
    credential = authenticate(connection, key)
    assert credential is not None
    return credential


def test_writer_and_gateway_see_the_same_rules_of_an_app(connection: psycopg.Connection, keys: apps.IssuedKeys) -> None:
    filters.add_filter(connection, "shop", "address", "10.1.2.3/8")
    filters.add_filter(connection, "shop", "host", "Staging.*")
    filters.add_filter(connection, "shop", "path", "/admin/*")
    plans.set_type(connection, "shop", "purchase", SCHEMA, PlanAction.OMIT)
    apps.update_app(connection, "shop", events_per_second=500, retention_days=7)
    rules = app_rules(connection)["shop"]
    assert credential_of(connection, keys.write_key).apps == {"shop": rules}
    assert rules.filters.covers_address("10.200.0.1")
    assert rules.filters.kind_of("staging.example.org", None) is FilterKind.HOST
    assert rules.filters.kind_of(None, "/admin/") is FilterKind.PATH
    assert (rules.events_per_second, rules.retention_days) == (500, 7)
    assert rules.plan is not None
    violation = rules.plan.check("purchase", b"{}")
    assert violation is not None
    assert violation.action is PlanAction.OMIT


def test_an_app_without_rules_of_its_own_gets_none_of_its_neighbour(
    connection: psycopg.Connection, keys: apps.IssuedKeys
) -> None:
    filters.add_filter(connection, "shop", "path", "/admin/*")
    plans.set_type(connection, "shop", "purchase", SCHEMA, PlanAction.FLAG)
    rules = app_rules(connection)["blog"]
    assert rules.filters.kind_of(None, "/admin/") is None
    assert rules.plan is None


def test_a_removed_filter_and_a_deleted_type_are_gone(connection: psycopg.Connection, keys: apps.IssuedKeys) -> None:
    filters.add_filter(connection, "shop", "address", "192.0.2.0/24")
    plans.set_type(connection, "shop", "purchase", SCHEMA, PlanAction.FLAG)
    filters.remove_filter(connection, "shop", "address", "192.0.2.77/24")
    plans.delete_type(connection, "shop", "purchase")
    rules = app_rules(connection)["shop"]
    assert rules.filters.networks == ()
    assert rules.plan is None


def test_a_second_filter_of_the_same_range_is_no_second_filter(
    connection: psycopg.Connection, keys: apps.IssuedKeys
) -> None:
    assert filters.add_filter(connection, "shop", "address", "10.0.0.0/8") == ("10.0.0.0/8", True)
    assert filters.add_filter(connection, "shop", "address", "10.9.9.9/8") == ("10.0.0.0/8", False)


def test_a_schema_keeps_its_text_and_is_replaced_as_a_whole(
    connection: psycopg.Connection, keys: apps.IssuedKeys
) -> None:
    text = b'{ "properties": {"a": {"const": "\\u0000 \xc3\xa9"}} }'
    plans.set_type(connection, "shop", "purchase", SCHEMA, PlanAction.FLAG)
    plans.set_type(connection, "shop", "purchase", text, PlanAction.QUARANTINE)
    (entry,) = plans.list_types(connection, "shop")
    assert (entry.schema.encode(), entry.action) == (text, "quarantine")
    plan = app_rules(connection)["shop"].plan
    assert plan is not None
    assert plan.check("purchase", b'{"a":"\\u0000 \xc3\xa9"}') is None


def test_a_stored_schema_that_this_version_refuses_stops_neither_the_app_nor_its_plan(
    connection: psycopg.Connection, keys: apps.IssuedKeys
) -> None:
    plans.set_type(connection, "shop", "purchase", SCHEMA, PlanAction.FLAG)
    connection.execute(
        "insert into control.tracking_plan (app_id, event_type, schema, action) values ('shop', 'old', %s, 'flag')",
        ['{"$ref": "x"}'],
    )
    plan = app_rules(connection)["shop"].plan
    assert plan is not None
    assert list(plan.types) == ["purchase"]


@pytest.mark.parametrize(
    ("app_id", "pattern", "rule"), [("shop", "10.0.0.0/99", "address"), ("none", "10.0.0.1", "no app")]
)
def test_what_breaks_a_rule_is_refused(
    connection: psycopg.Connection, keys: apps.IssuedKeys, app_id: str, pattern: str, rule: str
) -> None:
    with pytest.raises(EventmillError, match=rule):
        filters.add_filter(connection, app_id, "address", pattern)


def test_a_write_key_may_be_used_by_any_page_and_others_by_none(
    connection: psycopg.Connection, keys: apps.IssuedKeys
) -> None:
    found = [credential_of(connection, key).allowed_origins for key in (keys.write_key, keys.read_key, keys.admin_key)]
    assert found == [("*",), (), ()]


def test_origins_are_kept_as_browsers_write_them(connection: psycopg.Connection, keys: apps.IssuedKeys) -> None:
    set_origins(connection, "shop", ["https://Example.org/", "http://localhost:3000", "https://example.org:443"])
    assert credential_of(connection, keys.write_key).allowed_origins == ("http://localhost:3000", "https://example.org")


def test_a_rotated_key_keeps_its_origins_unless_told_otherwise(
    connection: psycopg.Connection, keys: apps.IssuedKeys
) -> None:
    set_origins(connection, "shop", ["https://example.org"])
    second = apps.rotate_key(connection, "shop", "write")
    assert credential_of(connection, second).allowed_origins == ("https://example.org",)
    third = apps.rotate_key(connection, "shop", "write", allowed_origins=[])
    assert credential_of(connection, third).allowed_origins == ()


@pytest.mark.parametrize(
    "origin", ["example.org", "https://example.org/shop", "https://", "javascript:alert(1)", "null"]
)
def test_what_is_no_origin_is_refused(connection: psycopg.Connection, keys: apps.IssuedKeys, origin: str) -> None:
    with pytest.raises(EventmillError, match="allowed_origins"):
        issue_key(connection, "default", "write", ["shop"], allowed_origins=[origin])


def test_a_rate_below_zero_is_refused(connection: psycopg.Connection, keys: apps.IssuedKeys) -> None:
    with pytest.raises(EventmillError, match="events_per_second"):
        apps.update_app(connection, "shop", events_per_second=-1)
