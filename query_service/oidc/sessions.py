"""Browser sessions and revocations as the query service remembers them: for seconds, and while Postgres is away."""

import hmac
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg
from psycopg_pool import AsyncConnectionPool

from eventmill.control import web_sessions
from eventmill.control.web_sessions import WebSession
from eventmill.errors import NotReadyError
from query_service.problems import Forbidden, Unauthorized
from query_service.reader import Reader

TTL_SECONDS = 30.0
MAX_SESSIONS = 10_000
MAX_TOKEN_CHARACTERS = 100


def csrf_token(session_token: str) -> str:
    """What a page sends back in X-CSRF-Token: made of the session's token, which no page can read."""
    return hmac.new(session_token.encode(), b"csrf", "sha256").hexdigest()


@dataclass(frozen=True, slots=True)
class _Entry:
    session: WebSession
    fresh_until: float


class Sessions:
    """Sessions by their tokens. One that was ended elsewhere may work for 30 s more."""

    def __init__(self, pool: AsyncConnectionPool, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool, self._clock = pool, clock
        self._known: OrderedDict[bytes, _Entry] = OrderedDict()

    async def begin(self, session: WebSession) -> str:
        """Keep a session and return its token."""
        async with self._pool.connection() as connection:
            return await web_sessions.begin(connection, session)

    async def find(self, token: str) -> WebSession:
        """The session of a token. Raises Unauthorized where there is none, or it is over; NotReadyError."""
        if len(token) > MAX_TOKEN_CHARACTERS:
            raise Unauthorized("The session is over: sign in again.")
        key = web_sessions.digest(token)
        entry = self._known.get(key)
        if entry is None or entry.fresh_until <= self._clock():
            entry = await self._read(key, token)
        if entry is None or entry.session.expires_at <= datetime.now(UTC):
            raise Unauthorized("The session is over: sign in again.")
        return entry.session

    async def end(self, token: str) -> None:
        """Forget a session."""
        self._known.pop(web_sessions.digest(token), None)
        async with self._pool.connection() as connection:
            await web_sessions.end(connection, token)

    async def _read(self, key: bytes, token: str) -> _Entry | None:
        try:
            async with self._pool.connection() as connection:
                session = await web_sessions.find(connection, token)
        except (psycopg.Error, OSError, TimeoutError) as error:
            raise NotReadyError(f"Sessions cannot be read: {type(error).__name__}") from error
        self._known.pop(key, None)
        if session is None:
            return None
        entry = self._known[key] = _Entry(session, self._clock() + TTL_SECONDS)
        if len(self._known) > MAX_SESSIONS:
            self._known.popitem(last=False)
        return entry


class Revocations:
    """Since when subjects' tokens are worthless, read again after 30 s; what was known stays while nobody can tell."""

    def __init__(self, pool: AsyncConnectionPool, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool, self._clock = pool, clock
        self._known: dict[str, datetime] | None = None
        self._fresh_until = float("-inf")

    async def revoked_before(self, subject: str) -> datetime | None:
        """None where nothing is revoked. Raises NotReadyError where it was never known."""
        if self._clock() >= self._fresh_until:
            self._fresh_until = self._clock() + TTL_SECONDS
            try:
                async with self._pool.connection() as connection:
                    self._known = await web_sessions.revoked_subjects(connection)
            except (psycopg.Error, OSError, TimeoutError) as error:
                if self._known is None:
                    self._fresh_until = float("-inf")
                    raise NotReadyError(f"Revocations cannot be read: {type(error).__name__}") from error
        if self._known is None:
            raise NotReadyError("Revocations are being read.")
        return self._known.get(subject)


def reader_of(session: WebSession) -> Reader:
    """Whoever signed in."""
    return Reader(tuple(session.apps), session.kind, session.may_see_people, session.subject)


def check_csrf(session_token: str, sent: str | None, site: str | None) -> None:
    """Raise Forbidden unless the page that writes could read the session's CSRF token, and is none of another site.

    `sent` is X-CSRF-Token, `site` is Sec-Fetch-Site, which browsers set and pages cannot.
    """
    is_own = site in {None, "same-origin", "none"}
    expected = csrf_token(session_token)
    if not is_own or sent is None or not hmac.compare_digest(sent.encode("utf-8", "replace"), expected.encode()):
        raise Forbidden("A page that writes with a session must prove that it is ours.", _CSRF_RULE)


_CSRF_RULE = "Send the csrf_token of GET /auth/session as X-CSRF-Token."
