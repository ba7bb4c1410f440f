"""Token buckets of apps."""

from typing import Any

import pytest

from eventmill.contracts.decode import AppRules
from ingest_service.gateway.problems import Problem
from ingest_service.gateway.rates import Rates

APPS = {"shop": AppRules("shop", events_per_second=10), "free": AppRules("free")}


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rates(clock: Clock) -> Rates:
    return Rates(clock)


def refusal(rates: Rates, **wanted: int) -> Any:
    with pytest.raises(Problem) as caught:
        rates.take(wanted, APPS)
    return caught.value


def test_two_seconds_worth_of_events_may_come_at_once(rates: Rates) -> None:
    rates.take({"shop": 20}, APPS)
    assert refusal(rates, shop=1).status == 429


def test_the_bucket_fills_with_time(rates: Rates, clock: Clock) -> None:
    rates.take({"shop": 20}, APPS)
    clock.now += 0.5
    rates.take({"shop": 5}, APPS)
    refusal(rates, shop=1)


def test_the_refusal_says_when_to_come_again(rates: Rates) -> None:
    rates.take({"shop": 18}, APPS)
    assert refusal(rates, shop=15).headers == {
        "Retry-After": "2",
        "RateLimit-Limit": "20",
        "RateLimit-Remaining": "2",
        "RateLimit-Reset": "2",
    }


def test_who_waits_as_told_is_let_in(rates: Rates, clock: Clock) -> None:
    rates.take({"shop": 18}, APPS)
    clock.now += int(refusal(rates, shop=15).headers["Retry-After"])
    rates.take({"shop": 15}, APPS)


def test_a_batch_beyond_the_bucket_is_let_in_once_and_paid_for_afterwards(rates: Rates, clock: Clock) -> None:
    rates.take({"shop": 50}, APPS)
    clock.now += 3
    refusal(rates, shop=1)
    clock.now += 0.2
    rates.take({"shop": 1}, APPS)


def test_an_app_without_a_limit_has_none(rates: Rates) -> None:
    for _ in range(100):
        rates.take({"free": 2_500}, APPS)


def test_of_several_apps_all_or_none_are_charged(rates: Rates) -> None:
    apps = {"shop": AppRules("shop", events_per_second=10), "blog": AppRules("blog", events_per_second=1)}
    rates.take({"blog": 2}, apps)
    with pytest.raises(Problem):
        rates.take({"shop": 20, "blog": 1}, apps)
    rates.take({"shop": 20}, apps)


def test_what_is_left_is_told_of_the_app_with_the_least(rates: Rates) -> None:
    apps = {**APPS, "small": AppRules("small", events_per_second=5)}
    headers = rates.take({"shop": 2, "small": 4, "free": 9}, apps)
    assert headers == {"RateLimit-Limit": "10", "RateLimit-Remaining": "6", "RateLimit-Reset": "1"}


def test_an_app_without_a_limit_is_told_nothing(rates: Rates) -> None:
    assert rates.take({"free": 9}, APPS) == {}
