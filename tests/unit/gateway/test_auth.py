"""Where a key may stand."""

import base64

import pytest

from ingest_service.gateway.auth import key_of


def basic(text: bytes) -> str:
    return "Basic " + base64.b64encode(text).decode()


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ({}, None),
        ({"authorization": "Bearer k"}, "k"),
        ({"authorization": "bearer  k "}, "k"),
        ({"authorization": "Bearer"}, None),
        ({"authorization": basic(b"k:")}, "k"),
        ({"authorization": basic(b"k")}, "k"),
        ({"authorization": basic(b":k")}, None),
        ({"authorization": basic(b"\xff:")}, None),
        ({"authorization": "Basic ?"}, None),
        ({"authorization": "Digest k"}, None),
        ({"x-write-key": "k"}, "k"),
    ],
)
def test_a_key_is_found_in_each_of_its_places(headers: dict[str, str], key: str | None) -> None:
    assert key_of(headers, {}) == key


def test_a_key_may_stand_in_the_query_where_no_header_can_be_set() -> None:
    assert key_of({}, {"write_key": "k"}) == "k"
    assert key_of({"authorization": "Bearer other"}, {"write_key": "k"}) == "other"
