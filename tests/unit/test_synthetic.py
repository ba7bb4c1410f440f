"""Synthetic flows: exact in number, the same for the same seed, and realistic enough to be worth looking at."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from typing import Any

import msgspec
import pytest

from eventmill.contracts.decode import AppRules, DecodeContext, EnvelopeContext, Rejected, decode_event
from eventmill.contracts.event import StoredEvent
from eventmill.synthetic.flow import Line, Plan, Shares, lines

NOW = datetime(2026, 11, 18, 15, 0, tzinfo=UTC)
CONTEXT = DecodeContext(AppRules("shop"), EnvelopeContext("shop", NOW))


def a_plan(**changes: Any) -> Plan:
    """A small web flow of the last minute."""
    return Plan(**{"app_id": "shop", "count": 2_000, "now": NOW, "seed": 7, "source": "web"} | changes)


def decoded(found: Iterable[Line], kind: str = "event") -> list[StoredEvent]:
    events = [decode_event(line.raw, CONTEXT) for line in found if line.kind == kind]
    stored = [event for event in events if isinstance(event, StoredEvent)]
    assert len(stored) == len(events)
    return stored


def test_the_same_plan_gives_the_same_lines() -> None:
    assert list(lines(a_plan())) == list(lines(a_plan()))


@pytest.mark.parametrize("change", [{"seed": 8}, {"now": NOW + timedelta(seconds=1)}, {"app_id": "other"}])
def test_any_other_plan_gives_other_ids(change: dict[str, Any]) -> None:
    ids = {line.event_id for line in lines(a_plan())}
    assert ids.isdisjoint(line.event_id for line in lines(a_plan(**change)) if line.event_id)


@pytest.mark.parametrize("source", ["web", "mobile", "server", None])
def test_count_is_the_number_of_valid_events_with_ids_of_their_own(source: str | None) -> None:
    found = list(lines(a_plan(source=source, shares=Shares(0.05, 0.1, 0.05))))
    events = decoded(found)
    assert len(events) == len({event.event_id for event in events}) == 2_000
    assert {event.source for event in events} == ({source} if source else {"web", "mobile", "server"})


def test_duplicates_are_copies_of_events_and_malformed_lines_are_all_rejected() -> None:
    found = list(lines(a_plan(shares=Shares(0, 0.2, 0.2))))
    plain = {line.event_id: line.raw for line in found if line.kind == "event"}
    copies = [line for line in found if line.kind == "duplicate"]
    assert all(plain[line.event_id] == line.raw for line in copies)
    rejected = [decode_event(line.raw, CONTEXT) for line in found if line.kind == "malformed"]
    reasons = {answer.reason for answer in rejected if isinstance(answer, Rejected)}
    assert all(isinstance(answer, Rejected) for answer in rejected)
    assert len(reasons) == 8
    assert {answer.event_id for answer in rejected if isinstance(answer, Rejected)}.isdisjoint(plain)
    assert 300 < len(copies) < 500
    assert 300 < len(rejected) < 500


def test_shares_of_zero_leave_plain_events_alone() -> None:
    found = list(lines(a_plan(shares=Shares(0, 0, 0))))
    assert Counter(line.kind for line in found) == {"event": 2_000}
    assert not any(line.is_late for line in found)


def test_a_burst_lies_in_the_last_minute() -> None:
    instants = [line.happened_at for line in lines(a_plan(shares=Shares(0, 0, 0))) if line.happened_at]
    assert instants == sorted(instants)
    assert NOW - timedelta(minutes=1) <= instants[0] < instants[-1] < NOW


def test_late_events_happened_hours_before_on_the_same_day() -> None:
    late = [line.happened_at for line in lines(a_plan(shares=Shares(0.1, 0, 0))) if line.is_late and line.happened_at]
    assert 150 < len(late) < 250
    assert all(timedelta(minutes=9) < NOW - instant for instant in late)
    assert {instant.date() for instant in late} == {NOW.date()}


def test_days_spread_events_with_quiet_nights_and_weekends() -> None:
    found = lines(a_plan(count=20_000, days=28, shares=Shares(0, 0, 0)))
    instants = [line.happened_at for line in found if line.happened_at]
    assert NOW - timedelta(days=28) <= min(instants)
    assert max(instants) < NOW
    hours = Counter(instant.hour for instant in instants)
    assert hours[19] > 5 * hours[3]
    weekdays = Counter(instant.weekday() for instant in instants)
    assert weekdays[6] < 0.8 * weekdays[1]


def test_a_rate_paces_from_now_on() -> None:
    plan = a_plan(count=None, rate=20.0, shares=Shares(0, 0, 0))
    instants = [line.happened_at for line in islice(lines(plan), 100) if line.happened_at]
    assert instants[0] == NOW
    assert {second - first for first, second in pairwise(instants)} == {timedelta(milliseconds=50)}


def test_a_flow_without_end_needs_a_rate() -> None:
    with pytest.raises(ValueError, match="rate"):
        next(lines(a_plan(count=None)))


def test_few_people_make_many_visits_and_few_pages_get_many_views() -> None:
    events = decoded(lines(a_plan(count=10_000, days=10)))
    visitors = Counter(event.anonymous_id for event in events)
    busiest = sum(count for _, count in visitors.most_common(len(visitors) // 10))
    assert busiest > 0.35 * len(events)
    pages = Counter(event.page_url for event in events if event.event_type == "page_view")
    assert pages.most_common(1)[0][0] == "https://shop.example/"
    assert len(pages) > 100


def test_a_web_session_begins_with_a_page_view_that_may_carry_a_campaign() -> None:
    events = decoded(lines(a_plan(shares=Shares(0, 0, 0))))
    first: dict[str | None, StoredEvent] = {}
    for event in events:
        first.setdefault(event.session_id, event)
    assert {event.event_type for event in first.values()} == {"page_view"}
    assert {event.utm_source for event in first.values()} == {None, "newsletter", "google", "partner"}
    assert any(event.referrer for event in first.values())


def test_events_tell_of_revenue_sign_ups_crashes_and_screen_time() -> None:
    events = decoded(lines(a_plan(count=20_000, days=20, source=None)))
    by_type: dict[str, list[StoredEvent]] = {}
    for event in events:
        by_type.setdefault(event.event_type, []).append(event)
    revenues = [msgspec.json.decode(event.properties) for event in by_type["purchase"]]
    assert all(order["revenue"] > 0 and order["currency"] in {"USD", "EUR", "GBP"} for order in revenues)
    assert all(event.user_id and event.anonymous_id for event in by_type["sign_up"])
    assert {event.source for event in by_type["crash"]} == {"mobile"}
    assert all(event.duration_ms for event in by_type["screen_time"])


def test_who_signed_up_stays_known() -> None:
    events = decoded(lines(a_plan(count=10_000, days=10, shares=Shares(0, 0, 0))))
    known: set[str | None] = set()
    for event in events:
        assert event.user_id is not None or event.anonymous_id not in known
        if event.event_type == "sign_up":
            known.add(event.anonymous_id)
    assert known
