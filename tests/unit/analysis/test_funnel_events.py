"""Which steps no event can share, so that a funnel takes the short way."""

from typing import Any

import pytest

from eventmill.analysis.funnel_definition import parse_funnel
from eventmill.analysis.funnel_events import Scope
from tests.funnel_events import BEGIN


def are_distinct(one: dict[str, Any], other: dict[str, Any]) -> bool:
    funnel = parse_funnel({"steps": [one, other]}).within(BEGIN, BEGIN.replace(month=6))
    return Scope.of(funnel, "events").has_distinct_steps


def where(*condition: Any) -> dict[str, Any]:
    return {"event_type": "page_view", "filters": [list(condition)]}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"event_type": "signup"}, {"event_type": "login"}),
        ({"event_type": "signup"}, {"filters": [["is", "event_type", ["login", "logout"]]]}),
        (where("is", "page_path", ["/cart"]), where("is", "page_path", ["/", "/thanks"])),
        (where("starts_with", "page_path", ["/cart/", "/basket/"]), where("starts_with", "page_path", ["/shop/"])),
        (where("is", "page_path", ["/cart"]), where("starts_with", "page_path", ["/cart/"])),
        (where("is", "properties.plan", ["pro"]), where("is_not", "properties.plan", ["pro", "team"])),
        (where("is_set", "utm_source"), where("is_not_set", "utm_source")),
    ],
)
def test_steps_whose_conditions_exclude_each_other_share_no_event(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert are_distinct(one, other)
    assert are_distinct(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"event_type": "signup"}, {"event_name": "login"}),
        (where("is", "page_path", ["/cart"]), where("is", "page_path", ["/cart", "/thanks"])),
        (where("is", "page_path", ["/cart"]), where("is", "page_url", ["/thanks"])),
        (where("starts_with", "page_path", ["/cart"]), where("is", "page_path", ["/cart/1"])),
        (where("starts_with", "page_path", ["/shop/"]), where("starts_with", "page_path", ["/shop/shoes/", "/cart"])),
        (where("contains", "page_path", ["cart"]), where("contains", "page_path", ["shop"])),
        (where("is", "properties.plan", ["pro", "team"]), where("is_not", "properties.plan", ["pro"])),
        # The text 10.0 reads as that number too.
        (where("is", "properties.seats", ["10.0"]), where("is", "properties.seats", [10])),
        (where("is_not", "page_path", ["/a"]), where("is_not", "page_path", ["/b"])),
    ],
)
def test_steps_that_an_event_might_meet_both_are_not_distinct(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert not are_distinct(one, other)
    assert not are_distinct(other, one)
