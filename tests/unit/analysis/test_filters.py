"""Event filters: what JSON means, what is refused, and which events meet the SQL."""

import json
from typing import Any

import duckdb
import pytest

from eventmill.analysis.filter_sql import to_sql
from eventmill.analysis.filters import Condition, EventFilter, Op, parse_filter
from eventmill.errors import DefinitionError

PRO = {"event_type": "purchase", "filters": [["is", "properties.plan", ["pro"]]]}


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def meets(
    connection: duckdb.DuckDBPyConnection, condition: list[Any], properties: dict[str, Any], **fields: Any
) -> bool:
    """Whether one event meets one condition."""
    sql, parameters = to_sql(parse_filter({"filters": [condition]}))
    columns = {"page_url": None, "country": None, "duration_ms": None, "user_id": None, **fields}
    values = [json.dumps(properties), *columns.values()]
    row = connection.execute(
        f"select {sql} from (select ? as properties, ?::varchar as page_url, ?::varchar as country,"
        " ?::bigint as duration_ms, ?::varchar as user_id)",
        [*parameters, *values],
    ).fetchone()
    assert row is not None
    return row[0]


def test_a_filter_is_read_and_written_as_the_same_json() -> None:
    parsed = parse_filter(PRO)
    assert parsed == EventFilter("purchase", None, (Condition(Op.IS, "properties.plan", ("pro",)),))
    assert parsed.to_json() == PRO


@pytest.mark.parametrize(
    ("given", "field", "rule"),
    [
        ("purchase", "filter", "an object with event_type"),
        ({}, "filter", "at least an event_type, an event_name or a filter"),
        ({"type": "x"}, "filter.type", "there are event_type, event_name, filters"),
        ({"\ud800": "x"}, "filter.\\ud800", "there are event_type, event_name, filters"),
        ({"event_type": ""}, "filter.event_type", "1 to 100 characters"),
        ({"event_name": "a\x00"}, "filter.event_name", "without NUL"),
        ({"event_name": "a\ud800"}, "filter.event_name", "half characters"),
        ({"filters": {}}, "filter.filters", "a list of at most 20"),
        ({"filters": [["is", "os"]] * 21}, "filter.filters", "a list of at most 20"),
        ({"filters": [["is"]]}, "filter.filters[0]", "[op, field, [values]]"),
        ({"filters": [["equals", "os", ["x"]]]}, "filter.filters[0][0]", "one of is, is_not, contains"),
        ({"filters": [["is", "colour", ["x"]]]}, "filter.filters[0][1]", "one of event_type, event_name"),
        ({"filters": [["is", "properties.", ["x"]]]}, "filter.filters[0][1]", "properties.<name>"),
        ({"filters": [["is", "user_id", ["mary"]]]}, "filter.filters[0][1]", "no person is named"),
        ({"filters": [["is", "os", []]]}, "filter.filters[0][2]", "1 to 100 values"),
        ({"filters": [["is", "os", [None]]]}, "filter.filters[0][2][0]", "is_not_set finds what is missing"),
        ({"filters": [["is", "os", [7]]]}, "filter.filters[0][2][0]", "is compares os with texts"),
        ({"filters": [["is_set", "os", ["x"]]]}, "filter.filters[0][2]", "takes no values"),
        ({"filters": [["greater", "properties.n", [1, 2]]]}, "filter.filters[0][2]", "one number"),
        ({"filters": [["greater", "properties.n", ["1"]]]}, "filter.filters[0][2][0]", "with numbers"),
        ({"filters": [["greater", "os", [1]]]}, "filter.filters[0][2][0]", "os is a text"),
        ({"filters": [["contains", "duration_ms", ["1"]]]}, "filter.filters[0][2][0]", "duration_ms is a number"),
        ({"filters": [["less", "properties.n", [10**400]]]}, "filter.filters[0][2][0]", "a finite number"),
        ({"filters": [["contains", "properties.n", [True]]]}, "filter.filters[0][2][0]", "with texts"),
    ],
)
def test_a_wrong_filter_is_refused_with_its_place_and_the_rule(given: object, field: str, rule: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        parse_filter(given)
    assert caught.value.field == field
    assert rule in caught.value.rule


@pytest.mark.parametrize(
    ("condition", "properties", "expected"),
    [
        (["is", "properties.plan", ["pro", "team"]], {"plan": "team"}, True),
        (["is", "properties.plan", ["pro"]], {"plan": "Pro"}, False),
        (["is", "properties.plan", ["pro"]], {}, False),
        (["is", "properties.seats", ["10"]], {"seats": 10}, True),
        (["is", "properties.seats", [10]], {"seats": "10.0"}, True),
        (["is", "properties.seats", [10, "many"]], {"seats": "many"}, True),
        (["is", "properties.trial", [True]], {"trial": True}, True),
        (["is", "properties.trial", [True]], {"trial": 1}, False),
        (["is_not", "properties.plan", ["pro"]], {}, True),
        (["is_not", "properties.plan", ["pro", "team"]], {"plan": "team"}, False),
        (["contains", "properties.text", ["50%"]], {"text": "a 50% cut"}, True),
        (["contains", "properties.text", ["50%"]], {"text": "a 500 cut"}, False),
        (["contains_not", "properties.text", ["a", "b"]], {"text": "xb"}, False),
        (["contains_not", "properties.text", ["a"]], {}, True),
        (["starts_with", "properties.text", ["a_"]], {"text": "abc"}, False),
        (["starts_with", "properties.text", ["ab"]], {"text": "abc"}, True),
        (["greater", "properties.total", [9]], {"total": 10.5}, True),
        (["greater", "properties.total", [9]], {"total": "10.5"}, True),
        (["greater", "properties.total", [9]], {"total": 9}, False),
        (["greater", "properties.total", [9]], {"total": "nan"}, False),
        (["less", "properties.total", [9]], {"total": "many"}, False),
        (["less", "properties.total", [9]], {}, False),
        (["is_set", "properties.plan"], {"plan": False}, True),
        (["is_set", "properties.plan"], {"plan": ""}, False),
        (["is_not_set", "properties.plan"], {"plan": None}, True),
        (["is", "properties.cart.items.0", ["x"]], {"cart": {"items": ["x"]}}, True),
        (["is", "properties.a/b~c", ["x"]], {"a/b~c": "x"}, True),
        (["is", "properties.a'b\"$.?", ["'; drop table"]], {"a'b\"$": {"?": "'; drop table"}}, True),
    ],
)
def test_properties_compare_as_documented(
    connection: duckdb.DuckDBPyConnection, condition: list[Any], properties: dict[str, Any], *, expected: bool
) -> None:
    assert meets(connection, condition, properties) is expected


def test_columns_compare_like_properties(connection: duckdb.DuckDBPyConnection) -> None:
    assert meets(connection, ["is", "page_url", ["/pricing"]], {}, page_url="/pricing")
    assert meets(connection, ["is_not", "country", ["DE"]], {}, country=None)
    assert meets(connection, ["greater", "duration_ms", [1.5]], {}, duration_ms=2)
    assert not meets(connection, ["is_set", "user_id"], {}, user_id=None)


def test_every_part_of_a_filter_must_hold(connection: duckdb.DuckDBPyConnection) -> None:
    sql, parameters = to_sql(parse_filter({**PRO, "event_name": "Order"}))
    met = connection.execute(
        f"select list({sql} order by n) from (values (1, 'purchase', 'Order', '{{\"plan\":\"pro\"}}'),"
        " (2, 'click', 'Order', '{\"plan\":\"pro\"}'), (3, 'purchase', 'x', '{\"plan\":\"pro\"}'),"
        " (4, 'purchase', 'Order', '{}')) as events (n, event_type, event_name, properties)",
        parameters,
    ).fetchone()
    assert met == ([True, False, False, False],)
