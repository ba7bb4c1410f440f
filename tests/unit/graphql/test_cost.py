"""What an operation costs, by the rows and fields that it asks for."""

from typing import Any

import pytest

from query_service.graphql.cost import LAKE_WEIGHT, MAX_COST, ROWS, WEIGHT, check_cost, cost_of
from query_service.graphql.documents import Document
from query_service.graphql.refusals import Refusal
from query_service.graphql.schema import SCHEMA

ROOT = SCHEMA._schema.query_type


def cost(text: str, **variables: Any) -> int:
    document = Document(text)
    return cost_of(document, document.operations[0], ROOT, variables)


@pytest.mark.parametrize(
    ("text", "variables", "expected"),
    [
        ("{topPages {id viewCount}}", {}, WEIGHT + 50 * 2),
        ("{topPages(limit: 7) {id viewCount}}", {}, WEIGHT + 7 * 2),
        ("query($n: Int!) {topPages(limit: $n) {id}}", {"n": 300}, WEIGHT + 300),
        ("query($n: Int = 20) {topPages(limit: $n) {id}}", {}, WEIGHT + 20),
        ("{topPages(limit: 99999999999999999999) {id}}", {}, WEIGHT + 10_000),
        ("query($n: Int!) {topPages(limit: $n) {id}}", {"n": "many"}, WEIGHT + ROWS),
        ("{events {id timestamp}}", {}, LAKE_WEIGHT + 100 * 2),
        ("{apps {appId}}", {}, WEIGHT + ROWS),
        ("{a: topPages {id} ...B} fragment B on Query {topPages {id}}", {}, 2 * (WEIGHT + 50)),
        ("{... on Query {topPages {id}}}", {}, WEIGHT + 50),
    ],
)
def test_an_operation_costs_its_questions_and_a_point_for_each_cell(
    text: str, variables: dict[str, Any], expected: int
) -> None:
    assert cost(text, **variables) == expected


def test_too_many_cells_are_refused_before_anything_is_asked() -> None:
    document = Document("query($n: Int) {a: topPages(limit: $n) {" + "id " * 9 + "} b: topPages(limit: $n) {id date}}")
    with pytest.raises(Refusal) as refused:
        check_cost(document, document.operations[0], ROOT, {"n": 10_000})
    extensions = refused.value.extensions or {}
    assert (extensions["code"], extensions["field"]) == ("TOO_EXPENSIVE", "query")
    assert f"{MAX_COST:,}" in extensions["rule"]


def test_many_questions_to_the_lake_at_once_are_refused() -> None:
    document = Document("{" + " ".join(f"a{n}: events {{id}}" for n in range(20)) + "}")
    with pytest.raises(Refusal):
        check_cost(document, document.operations[0], ROOT, {})
