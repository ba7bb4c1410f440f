"""What an app's filters and tracking plan make of its events, and where a visit came from."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from eventmill.contracts.decode import AppRules, DecodeContext, EnvelopeContext, Filtered, decode_event
from eventmill.contracts.event import StoredEvent
from eventmill.contracts.filters import FilterKind, Filters
from eventmill.contracts.plan import plan_of

LEAST: dict[str, Any] = {"event_type": "click", "user_id": "u"}
PLAN = plan_of(
    {
        "purchase": (b'{"properties":{"price":{"type":"number"}}}', "quarantine"),
        "search": (b'{"properties":{"words":{"type":"string"}}}', "flag"),
        "login": (b'{"properties":{"method":{"type":"string"}}}', "omit"),
    }
)


def context(app: AppRules | None = None) -> DecodeContext:
    received = EnvelopeContext("shop", datetime(2026, 3, 1, 12, tzinfo=UTC))
    return DecodeContext(app or AppRules("shop", plan=PLAN), received)


def stored(event: dict[str, Any]) -> StoredEvent:
    decoded = decode_event(msgspec.json.encode(event), context())
    assert isinstance(decoded, StoredEvent), decoded
    return decoded


def filtered(event: dict[str, Any], rules: DecodeContext | None = None) -> FilterKind | None:
    decoded = decode_event(msgspec.json.encode(event), rules or context())
    return decoded.kind if isinstance(decoded, Filtered) else None


def test_an_event_that_keeps_to_the_plan_is_stored_as_it_is() -> None:
    event = stored(LEAST | {"event_type": "purchase", "properties": {"price": 1}})
    assert (event.properties, event.plan_violation) == ('{"price":1}', None)


def test_a_flagged_event_is_kept_whole_and_says_what_it_broke() -> None:
    event = stored(LEAST | {"event_type": "search", "properties": {"words": 5}})
    assert event.properties == '{"words":5}'
    assert event.plan_violation is not None
    assert event.plan_violation.startswith("properties.words: ")


def test_properties_that_break_the_plan_can_be_left_out() -> None:
    event = stored(LEAST | {"event_type": "login", "properties": {"method": 5, "page": 1.50}})
    assert event.properties == '{"page":1.5}'
    assert event.plan_violation is not None


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, (None, None, None)),
        ({"page_url": "/a"}, (None, "direct", None)),
        ({"referrer": "https://www.google.de/"}, ("www.google.de", "organic_search", None)),
        (
            {"page_url": "https://shop.example/", "referrer": "https://www.shop.example/a"},
            (None, "direct", None),
        ),
        ({"page_url": "https://shop.example/?gclid=x"}, (None, "paid_search", "gclid")),
        ({"page_url": "/?utm_medium=email", "utm_medium": "cpc"}, (None, "paid_other", None)),
    ],
)
def test_a_visits_origin_is_told(fields: dict[str, Any], expected: tuple[str | None, ...]) -> None:
    event = stored(LEAST | fields)
    assert (event.referrer_host, event.channel, event.click_id) == expected


def test_a_device_that_opted_out_is_left_out_with_or_without_an_id() -> None:
    assert filtered(LEAST | {"opt_out": True}) is FilterKind.OPT_OUT
    assert filtered({"opt_out": True}) is FilterKind.OPT_OUT
    assert filtered(LEAST | {"opt_out": False}) is None


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"page_url": "https://Staging.shop.example:81/a?b"}, FilterKind.HOST),
        ({"page_url": "https://shop.example/admin/users?x=1"}, FilterKind.PATH),
        ({"page_url": "https://shop.example/", "page_path": "/admin/"}, FilterKind.PATH),
        ({"page_path": "/admin/"}, FilterKind.PATH),
        ({"page_url": "https://shop.example/a"}, None),
        ({}, None),
    ],
)
def test_internal_hosts_and_paths_are_left_out(fields: dict[str, Any], kind: FilterKind | None) -> None:
    internal = AppRules("shop", filters=Filters(hosts=("staging.*",), paths=("/admin/*",)))
    assert filtered(LEAST | fields, context(internal)) is kind


def test_what_is_left_out_is_left_out_before_its_identity_and_age_are_looked_at() -> None:
    internal = AppRules("shop", filters=Filters(hosts=("staging.*",)))
    event = {"page_url": "https://staging.shop.example/", "timestamp": "2000-01-01T00:00:00Z"}
    assert filtered(event, context(internal)) is FilterKind.HOST
