"""The tracking plan: what it finds, what it leaves, and what it refuses to be."""

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from eventmill.contracts.plan import PlanAction, TrackingPlan, plan_of
from eventmill.contracts.plan_schema import compile_schema
from eventmill.errors import EventmillError

PURCHASE = {
    "type": "object",
    "properties": {"price": {"type": "number"}, "items": {"type": "array", "items": {"type": "string"}}},
    "required": ["price"],
    "additionalProperties": False,
}


def plan(schema: dict[str, Any], action: str = "flag") -> TrackingPlan:
    made = plan_of({"purchase": (json.dumps(schema).encode(), action)})
    assert made is not None
    return made


def test_an_event_that_keeps_the_plan_has_no_violation() -> None:
    assert plan(PURCHASE).check("purchase", b'{"price": 1.50, "items": ["a"]}') is None


def test_an_event_type_without_a_schema_is_not_looked_at() -> None:
    assert plan(PURCHASE).check("refund", b'{"price": "much"}') is None


@pytest.mark.parametrize("action", list(PlanAction))
def test_a_violation_names_action_path_and_rule_and_no_value(action: PlanAction) -> None:
    found = plan(PURCHASE, action).check("purchase", b'{"price":"secret"}')
    assert found is not None
    assert (found.action, found.path) == (action, "$.properties.price")
    assert found.message == 'properties.price: the value is not of type "number"'


def test_a_path_leads_through_arrays_and_odd_names() -> None:
    schema = {"properties": {"a b": {"items": {"type": "string"}}}}
    found = plan(schema).check("purchase", b'{"a b":["x",1]}')
    assert found is not None
    assert found.path == '$.properties["a b"][1]'


@pytest.mark.parametrize("action", ["flag", "quarantine"])
def test_all_properties_stay_unless_omitted(action: str) -> None:
    found = plan(PURCHASE, action).check("purchase", b'{"price":"x","y":1}')
    assert found is not None
    assert found.properties == b'{"price":"x","y":1}'


@pytest.mark.parametrize(
    ("properties", "left"),
    [
        (b'{"price":1.50,"y":1,"z":2}', b'{"price":1.50}'),
        (b'{"price":1e2,"items":["a",1]}', b'{"price":1e2}'),
        (b'{"items":[],"price":"x"}', b'{"items":[]}'),
        (b'{"items":["\\u00e9"]}', b'{"items":["\\u00e9"]}'),  # what is missing cannot be omitted
    ],
)
def test_omit_takes_the_properties_that_break_the_schema_and_keeps_the_others_byte_for_byte(
    properties: bytes, left: bytes
) -> None:
    found = plan(PURCHASE, "omit").check("purchase", properties)
    assert found is not None
    assert found.properties == left


def test_properties_that_cannot_be_read_break_the_plan() -> None:
    found = plan(PURCHASE, "omit").check("purchase", b'{"price":1e400}')
    assert found is not None
    assert found.path == "$.properties"
    assert found.properties == b"{}"


def test_no_types_are_no_plan() -> None:
    assert plan_of({}) is None


def test_formats_are_checked() -> None:
    assert plan({"properties": {"mail": {"format": "email"}}}).check("purchase", b'{"mail":"nobody"}') is not None


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        ({"properties": {"price": {"type": "nummer"}}}, "#/properties/price/type"),
        ({"properties": {"a/b": {"pattern": "(?=a)b"}}}, "#/properties/a~1b/pattern"),
        ({"properties": {"a": {"pattern": "(((a{1000}){1000}){1000})"}}}, "#/properties/a/pattern"),
        ({"$defs": {"a": {"$dynamicRef": "#a"}}}, "#/$defs/a"),
        ({"properties": {"a": {"$id": "https://example.org/a"}}}, "#/properties/a"),
        ({"$ref": "#/$defs/missing"}, "missing"),
        ({"$schema": "https://example.org/own"}, "meta-schema"),
    ],
)
def test_a_schema_that_breaks_a_rule_is_refused_with_its_place(schema: dict[str, Any], place: str) -> None:
    with pytest.raises(EventmillError, match="schema: ") as refused:
        plan(schema)
    assert place in refused.value.message


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"true", b'"\xff"', b'{"a":1e400}'])
def test_a_text_that_is_no_schema_is_refused(text: bytes) -> None:
    with pytest.raises(EventmillError, match="schema: "):
        compile_schema(text)


@pytest.fixture
def visited() -> Any:
    """A web server's address, and the paths that were asked for."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", paths
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    "schema_of",
    [
        lambda url: {"$ref": f"{url}/a"},
        lambda url: {"$schema": f"{url}/a"},
        lambda url: {"$id": f"{url}/a", "$ref": "b"},
        lambda url: {"$id": f"{url}/a", "properties": {"b": {"$ref": "b#/c"}}},
        lambda url: {"properties": {"b": {"anyOf": [{"$ref": f"{url}/c"}]}}},
    ],
)
def test_nothing_is_fetched_from_the_network(visited: tuple[str, list[str]], schema_of: Callable[[str], Any]) -> None:
    url, paths = visited
    with pytest.raises(EventmillError, match="schema: "):
        plan(schema_of(url))
    assert paths == []


def test_nothing_is_read_from_files(tmp_path: Path) -> None:
    (tmp_path / "price.json").write_text('{"type": "number"}')
    with pytest.raises(EventmillError, match="points outside the schema"):
        plan({"$ref": (tmp_path / "price.json").as_uri()})


def doubling(steps: int) -> dict[str, Any]:
    """Alternatives that double the work at every step."""
    definitions: dict[str, Any] = {
        f"a{step}": {"anyOf": [{"$ref": f"#/$defs/a{step + 1}"}] * 2} for step in range(steps)
    }
    definitions[f"a{steps}"] = {"type": "string"}
    return {"$defs": definitions, "$ref": "#/$defs/a0"}


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "schema",
    [
        doubling(40),
        {"$ref": "#"},
        {"anyOf": [{"not": {"$ref": "#"}}]},
        {"$defs": {"n": {"additionalProperties": {"anyOf": [{"$ref": "#/$defs/n"}] * 9}}}, "$ref": "#/$defs/n"},
        {"patternProperties": {f"a{number}": {} for number in range(300)}},
    ],
)
def test_a_schema_that_would_take_for_ever_is_refused_at_once(schema: dict[str, Any]) -> None:
    with pytest.raises(EventmillError, match="schema: "):
        plan(schema)


def test_a_schema_nested_without_end_is_refused() -> None:
    with pytest.raises(EventmillError, match="schema: "):
        compile_schema(b'{"not":' * 5_000 + b"{}" + b"}" * 5_000)


def test_a_definition_that_holds_itself_is_fine() -> None:
    tree = {"$defs": {"n": {"properties": {"left": {"$ref": "#/$defs/n"}, "right": {"$ref": "#/$defs/n"}}}}}
    tree["$defs"]["n"]["additionalProperties"] = False  # type: ignore[assignment]
    checked = plan({**tree, "$ref": "#/$defs/n"})
    assert checked.check("purchase", b'{"left":{"right":{}}}') is None
    assert checked.check("purchase", b'{"left":{"right":{"x":1}}}') is not None


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("schema", "properties"),
    [
        ({"properties": {"a": {"pattern": "^(a*)*b$"}}}, {"a": "a" * 30_000}),
        ({"properties": {"a": {"uniqueItems": True, "maxItems": 1}}}, {"a": list(range(5_000))}),
        ({"properties": {"a": {"items": doubling(6)["$defs"]["a6"]}}}, {"a": [1] * 10_000}),
        ({"additionalProperties": {"type": "string"}}, {f"k{number}": 1 for number in range(3_000)}),
        ({"additionalProperties": False}, {f"k{number}": 1 for number in range(3_000)}),
    ],
)
def test_hostile_properties_take_bounded_time(schema: dict[str, Any], properties: dict[str, Any]) -> None:
    checked = plan(schema, "omit")
    assert checked.check("purchase", json.dumps(properties).encode()) is not None
