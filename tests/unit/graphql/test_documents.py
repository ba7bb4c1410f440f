"""What is no document within the limits, refused before it costs anything."""

import pytest

from query_service.graphql import documents
from query_service.graphql.documents import Document, Size, read, refusal_of

CYCLE = "{...A} fragment A on Query {...B} fragment B on Query {...A}"
DOUBLING = "{...F0} " + " ".join(f"fragment F{n} on Query {{...F{n + 1} ...F{n + 1}}}" for n in range(19))
HOSTILE = {
    "deep fields": ("{a" * 9 + "}" * 9, "8 levels of fields"),
    "deep brackets": ("{a" * 5_000 + "}" * 5_000, "40 levels of brackets"),
    "a deep list": ("{a(b: " + "[" * 50 + "]" * 50 + ")}", "40 levels of brackets"),
    "aliases": ("{" + " ".join(f"a{n}: apps" for n in range(31)) + "}", "30 aliases"),
    "aliases in fragments": ("{...A ...A ...A ...A} fragment A on Query {" + "a: b " * 8 + "}", "30 aliases"),
    "fields": ("{" + "a " * 251 + "}", "250 fields"),
    "fields that nobody spreads": ("{a} fragment A on Query {" + "a " * 251 + "}", "250 fields"),
    "doubling fragments": (DOUBLING + " fragment F19 on Query {a b}", "250 fields"),
    "directives": ("{a " + "@skip(if: true) " * 21 + "}", "20 directives"),
    "fragments": ("{a} " + " ".join(f"fragment F{n} on Query {{a}}" for n in range(21)), "20 fragments"),
    "operations": (" ".join(f"query q{n} {{a}}" for n in range(11)), "10 operations"),
    "tokens": ("{a(b: [" + "1 " * 3_000 + "])}", "3,000 tokens"),
    "a long text": ("{a}" + " " * 100_000, "100,000 characters"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_document_that_is_too_large_is_refused_with_the_limit(name: str) -> None:
    text, limit = HOSTILE[name]
    refusal = refusal_of(text)
    assert refusal is not None
    assert refusal.extensions == {"code": "TOO_LARGE", "field": "query", "rule": f"At most {limit}."}


@pytest.mark.parametrize("text", [CYCLE, "{...A} fragment A on Query {...A}", "{...Nowhere}"])
def test_fragments_that_lead_nowhere_are_refused(text: str) -> None:
    refusal = refusal_of(text)
    assert refusal is not None
    assert (refusal.extensions or {})["code"] == "BAD_REQUEST"


@pytest.mark.parametrize("text", ["", "{", "{a", "query {a} }", "\ud800", '{a(b: "\n")}'])
def test_what_is_no_graphql_is_refused(text: str) -> None:
    assert refusal_of(text) is not None


def test_fragments_count_as_often_as_they_are_spread() -> None:
    document = Document("{...A a: b {...A}} fragment A on Query {c {d @skip(if: false)}}")
    assert document.size(document.operations[0].selection_set) == Size(depth=3, fields=5, aliases=1, directives=2)


def test_the_usual_introspection_query_may_be_deeper() -> None:
    nested = "ofType {" * 9 + "name" + "}" * 9
    assert read("{__schema {types {fields {type {" + nested + "}}}}}").asks_for_schema
    assert not read("{apps {__typename}}").asks_for_schema


def test_short_documents_are_read_once() -> None:
    documents._kept.cache_clear()
    assert read("{a}") is read("{a}")
