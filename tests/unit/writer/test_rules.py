"""The cache of the apps' rules, while Postgres comes and goes."""

import asyncio
from collections.abc import Mapping

import pytest

from eventmill.contracts.decode import AppRules
from eventmill.control.rules_cache import RulesCache
from eventmill.errors import NotReadyError


class Postgres:
    """Apps that can be read, unless it is away."""

    def __init__(self, *apps: str) -> None:
        self.apps = {app: AppRules(app) for app in apps}
        self.is_away = False
        self.reads = 0

    def load(self) -> Mapping[str, AppRules]:
        self.reads += 1
        if self.is_away:
            raise NotReadyError("PostgreSQL does not answer")
        return dict(self.apps)


class Clock:
    """A clock that moves when it is told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def cache_of(postgres: Postgres, clock: Clock) -> RulesCache:
    return RulesCache(postgres.load, max_age_seconds=15, retry_seconds=0.001, clock=clock)


async def test_known_apps_are_served_from_memory_while_postgres_is_away(clock: Clock) -> None:
    postgres = Postgres("shop")
    cache = cache_of(postgres, clock)
    await cache.wait_until_loaded()
    postgres.is_away = True
    clock.now += 3600
    assert await cache.of("shop", clock()) == AppRules("shop")
    await asyncio.sleep(0.05)
    assert await cache.of("shop", clock()) == AppRules("shop")
    assert postgres.reads == 2
    assert cache.problems() == []


async def test_an_unknown_app_is_looked_up_once_for_all_that_arrived_together(clock: Clock) -> None:
    postgres = Postgres()
    cache = cache_of(postgres, clock)
    await cache.wait_until_loaded()
    clock.now += 1
    arrived_at = clock()
    assert await cache.of("nobody", arrived_at) is None
    assert await cache.of("nobody", arrived_at) is None
    assert postgres.reads == 2
    clock.now += 1
    postgres.apps["nobody"] = AppRules("nobody")
    assert await cache.of("nobody", clock()) == AppRules("nobody")


async def test_no_app_is_called_unknown_while_postgres_is_away(clock: Clock) -> None:
    postgres = Postgres()
    cache = cache_of(postgres, clock)
    await cache.wait_until_loaded()
    postgres.is_away = True
    clock.now += 1
    asked = asyncio.create_task(cache.of("fresh", clock()))
    await asyncio.sleep(0.05)
    assert not asked.done()
    assert cache.problems() != []
    postgres.apps["fresh"] = AppRules("fresh")
    postgres.is_away = False
    assert await asked == AppRules("fresh")
    assert cache.problems() == []


async def test_rules_are_read_again_before_they_are_too_old_and_nobody_waits_for_that(clock: Clock) -> None:
    postgres = Postgres("shop")
    cache = cache_of(postgres, clock)
    await cache.wait_until_loaded()
    postgres.apps["shop"] = AppRules("shop", retention_days=7)
    clock.now += 14
    assert await cache.of("shop", clock()) == AppRules("shop")
    await asyncio.sleep(0.05)
    assert await cache.of("shop", clock()) == AppRules("shop", retention_days=7)


async def test_after_a_pause_the_first_event_already_meets_the_rules_of_now(clock: Clock) -> None:
    postgres = Postgres("shop")
    cache = cache_of(postgres, clock)
    await cache.wait_until_loaded()
    postgres.apps["shop"] = AppRules("shop", retention_days=7)
    clock.now += 3600
    assert await cache.of("shop", clock()) == AppRules("shop", retention_days=7)
