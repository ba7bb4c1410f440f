"""Whom a text names."""

import pytest

from eventmill.erasure.person import Person


@pytest.mark.parametrize(
    ("raw", "is_named"),
    [
        (b'{"user_id":7}', True),
        (b'{"userId":"7"}', True),
        (b'{"traits":{"anonymousId":"a-device-id"}}', True),
        (b'{"user_id":"\\u0037"}', True),
        (b'{"user_id":"7"', True),
        (b'{"page":"7"}', False),
        (b'{"user_id":"77"', False),
        (b'{"anything":"a-device-id"}', True),
        (b"not json: a-device-id", True),
        (b"not json: a-device-id-2", False),
    ],
)
def test_a_short_id_is_the_persons_only_where_a_field_says_so(raw: bytes, is_named: bool) -> None:
    assert Person("shop", "7", frozenset({"a-device-id"})).is_in(raw) is is_named
