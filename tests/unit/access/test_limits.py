"""Requests of a credential are bounded, and it is told how."""

import pytest
from litestar import Litestar, get
from litestar.datastructures import State
from litestar.testing import TestClient

from query_service.access_problems import HANDLERS, TooManyRequests
from query_service.limits import BURST_SECONDS, RequestLimits, limit_strangers, tell_limits


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_ten_seconds_worth_may_come_at_once_and_then_one_at_a_time() -> None:
    clock = Clock()
    limits = RequestLimits(2, clock)
    for _ in range(2 * BURST_SECONDS):
        headers = limits.take("key:a")
    assert headers["RateLimit"] == '"credential";r=0;t=10'
    assert headers["RateLimit-Policy"] == '"credential";q=20;w=10'
    with pytest.raises(TooManyRequests) as refused:
        limits.take("key:a")
    assert refused.value.headers["Retry-After"] == "1"
    clock.now += 0.5
    limits.take("key:a")
    with pytest.raises(TooManyRequests):
        limits.take("key:a")


def test_credentials_do_not_share_a_limit() -> None:
    limits = RequestLimits(1, Clock())
    for _ in range(BURST_SECONDS):
        limits.take("key:a")
    assert limits.take("key:b")["RateLimit"] == '"credential";r=9;t=1'


def test_zero_is_no_limit() -> None:
    limits = RequestLimits(0, Clock())
    assert [limits.take("key:a") for _ in range(100)] == [{}] * 100


@get("/", guards=[limit_strangers])
async def limited() -> str:
    return "x"


def test_a_refusal_over_http_says_when_to_come_again() -> None:
    state = State({"limits": RequestLimits(1, Clock())})
    app = Litestar([limited], state=state, before_send=[tell_limits], exception_handlers=HANDLERS, openapi_config=None)
    with TestClient(app) as client:
        answers = [client.get("/") for _ in range(BURST_SECONDS + 1)]
    assert answers[0].headers["ratelimit"] == '"credential";r=9;t=1'
    refused = answers[-1]
    assert (refused.status_code, refused.headers["content-type"]) == (429, "application/problem+json")
    assert (refused.headers["retry-after"], refused.headers["ratelimit"]) == ("1", '"credential";r=0;t=1')
