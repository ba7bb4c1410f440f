"""docs/schema.graphql is what the code says, and docs/graphql.md shows what works."""

import re
from pathlib import Path

import pytest
from graphql import GraphQLObjectType, build_schema, validate

from query_service.graphql import cost, documents, refusals, schema, tracking, wire
from query_service.graphql.documents import Document

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "graphql.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```graphql\n(.*?)```", PAGE, re.DOTALL)


def test_the_schema_in_the_docs_is_that_of_the_code() -> None:
    assert (DOCS / "schema.graphql").read_text(encoding="utf-8") == schema.page(), "run `make docs`"


@pytest.mark.parametrize("text", EXAMPLES)
def test_an_example_fits_the_schema_and_its_limits(text: str) -> None:
    document = Document(text)
    known = build_schema(schema.page())
    assert validate(known, document.tree) == []
    [operation] = document.operations
    root = known.get_root_type(operation.operation)
    assert isinstance(root, GraphQLObjectType)
    cost.check_cost(document, operation, root, {})


@pytest.mark.parametrize(
    ("what", "most"),
    [
        ("characters", documents.MAX_CHARACTERS),
        ("tokens", documents.MAX_TOKENS),
        ("levels of brackets", documents.MAX_NESTING),
        ("levels of fields", documents.MAX_DEPTH),
        ("fields", documents.MAX_FIELDS),
        ("aliases", documents.MAX_ALIASES),
        ("directives", documents.MAX_DIRECTIVES),
        ("fragments", documents.MAX_FRAGMENTS),
        ("operations", documents.MAX_OPERATIONS),
    ],
)
def test_a_limit_is_the_one_of_the_page(what: str, most: int) -> None:
    assert f"| {what} | {most:,}" in PAGE


def test_costs_are_those_of_the_page() -> None:
    assert f"may cost {cost.MAX_COST:,} points" in PAGE
    assert f"each question weighs {cost.WEIGHT:,}" in PAGE
    assert f"\n{cost.LAKE_WEIGHT:,}, and each field" in PAGE
    assert f"or {cost.ROWS:,} where it has none" in PAGE


def test_every_code_and_header_is_on_the_page() -> None:
    source = Path(refusals.__file__).read_text(encoding="utf-8")
    codes = set(re.findall(r'"code": "([A-Z_]+)"', source)) | {"TOO_LARGE", "SYNTAX", "BAD_REQUEST"}
    assert {code for code in codes if f"`{code}`" not in PAGE} == set()
    assert {name for name in tracking.HEADERS.values() if name not in PAGE.lower()} == set()
    assert wire.PROTOCOL in PAGE
