"""The cache of good and unknown keys."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from eventmill.contracts.decode import AppRules
from eventmill.control.credentials import Credential
from eventmill.control.key_cache import TTL_SECONDS, UNKNOWN_TTL_SECONDS, KeyCache
from eventmill.errors import NotReadyError


def key(number: int) -> str:
    return f"em_w_aaaaaaaa_{number:043d}"


class Store:
    """Knows the keys of `good`; `now` is the cache's clock."""

    def __init__(self, *good: str) -> None:
        self.good = set(good)
        self.is_up = True
        self.lookups = 0
        self.now = 0.0
        self.expires_at: datetime | None = None

    async def lookup(self, key: str) -> Credential | None:
        self.lookups += 1
        if not self.is_up:
            raise psycopg.OperationalError("down")
        return Credential("id", "write", "org", {"a": AppRules("a")}, self.expires_at) if key in self.good else None

    def cache(self, max_entries: int = 10) -> KeyCache:
        return KeyCache(self.lookup, max_entries=max_entries, clock=lambda: self.now)


async def test_a_good_key_is_looked_up_again_after_its_time() -> None:
    store = Store(key(1))
    cache = store.cache()
    for now, lookups in [(0.0, 1), (TTL_SECONDS - 1, 1), (TTL_SECONDS, 2)]:
        store.now = now
        assert await cache.find(key(1)) is not None
        assert store.lookups == lookups


async def test_a_revoked_key_ends_with_its_time() -> None:
    store = Store(key(1))
    cache = store.cache()
    await cache.find(key(1))
    store.good.clear()
    assert await cache.find(key(1)) is not None
    store.now = TTL_SECONDS
    assert await cache.find(key(1)) is None


async def test_an_unknown_key_is_remembered_for_a_short_time() -> None:
    store = Store()
    cache = store.cache()
    assert await cache.find(key(1)) is None
    assert await cache.find(key(1)) is None
    assert store.lookups == 1
    store.good.add(key(1))
    store.now = UNKNOWN_TTL_SECONDS
    assert await cache.find(key(1)) is not None


async def test_a_good_key_stays_good_while_the_store_is_down() -> None:
    store = Store(key(1))
    cache = store.cache()
    await cache.find(key(1))
    store.is_up = False
    store.now = 10 * TTL_SECONDS
    for _ in range(3):
        assert await cache.find(key(1)) is not None
    # The store is left alone between tries.
    assert store.lookups == 2


async def test_nobody_can_tell_of_a_new_key_while_the_store_is_down() -> None:
    store = Store(key(1))
    store.is_up = False
    with pytest.raises(NotReadyError):
        await store.cache().find(key(1))


async def test_a_flood_of_made_up_keys_does_not_push_out_good_ones() -> None:
    store = Store(key(0))
    cache = store.cache(max_entries=3)
    for number in range(20):
        await cache.find(key(number))
    store.is_up = False
    assert await cache.find(key(0)) is not None


async def test_a_key_ends_when_it_expires_though_it_is_remembered() -> None:
    store = Store(key(1))
    store.expires_at = datetime.now(UTC) - timedelta(seconds=1)
    cache = store.cache()
    await cache.find(key(1))
    assert await cache.find(key(1)) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "em_w_short_x",
        "em_w_\x00aaaaaaa_" + "0" * 43,
        "em_x_aaaaaaaa_" + "0" * 43,
        "em_w_aaaaaaaa_" + "é" * 43,
    ],
)
async def test_a_text_of_another_form_is_not_even_looked_up(text: str) -> None:
    store = Store()
    assert await store.cache().find(text) is None
    assert store.lookups == 0
