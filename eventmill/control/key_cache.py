"""Remembers which keys are good, so that a request does not wait for Postgres and survives its absence."""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import psycopg

from eventmill.control.credentials import Credential, parse_key
from eventmill.errors import NotReadyError

TTL_SECONDS = 30.0
UNKNOWN_TTL_SECONDS = 5.0
# How long to leave Postgres alone, per key, after it did not answer.
RETRY_SECONDS = 2.0
MAX_ENTRIES = 10_000

Lookup = Callable[[str], Awaitable[Credential | None]]


@dataclass(slots=True)
class _Entry:
    credential: Credential | None
    fresh_until: float


class KeyCache:
    """Bounded cache over a lookup in the credentials store.

    A good key is looked up again after 30 s, an unknown one after 5 s: a revoked key may work that much longer. While
    the store does not answer, keys that were good stay good. Only digests of keys are held in memory.
    """

    def __init__(
        self, lookup: Lookup, *, max_entries: int = MAX_ENTRIES, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._lookup, self._max_entries, self._clock = lookup, max_entries, clock
        # Apart, so that a flood of made-up keys cannot push out the good ones.
        self._good: OrderedDict[bytes, _Entry] = OrderedDict()
        self._unknown: OrderedDict[bytes, _Entry] = OrderedDict()

    async def find(self, key: str) -> Credential | None:
        """The credential behind a key, None for a bad key.

        Raises NotReadyError where the store does not answer and the key was not good before: nobody can tell.
        """
        parsed = parse_key(key)
        if parsed is None:
            return None
        entry = self._good.get(parsed.sha256) or self._unknown.get(parsed.sha256)
        if entry is None:
            return await self._refresh(parsed.sha256, key, None)
        if entry.fresh_until > self._clock():
            return _unexpired(entry.credential)
        # One request looks the key up again; those that come meanwhile use what is known.
        entry.fresh_until = self._clock() + RETRY_SECONDS
        return await self._refresh(parsed.sha256, key, entry)

    async def _refresh(self, digest: bytes, key: str, stale: _Entry | None) -> Credential | None:
        try:
            credential = await self._lookup(key)
        except (psycopg.Error, OSError, TimeoutError) as error:
            if stale is not None and stale.credential is not None:
                return _unexpired(stale.credential)
            raise NotReadyError(f"The credentials store does not answer: {error or type(error).__name__}") from error
        self._remember(digest, credential)
        return credential

    def _remember(self, digest: bytes, credential: Credential | None) -> None:
        self._good.pop(digest, None)
        self._unknown.pop(digest, None)
        entries, ttl = (self._unknown, UNKNOWN_TTL_SECONDS) if credential is None else (self._good, TTL_SECONDS)
        entries[digest] = _Entry(credential, self._clock() + ttl)
        if len(entries) > self._max_entries:
            entries.popitem(last=False)


def _unexpired(credential: Credential | None) -> Credential | None:
    return None if credential is None or credential.is_expired() else credential
