"""Who calls: the bearer token of each request, checked as the query service checks it."""

import asyncio
import base64
import binascii
import threading
from collections.abc import Mapping
from typing import Any

from pyarrow import flight

from eventmill.settings import Settings
from query_service.access import Access
from query_service.flight.refusals import raise_for_client
from query_service.reader import Reader

MIDDLEWARE = "reader"
TIMEOUT_SECONDS = 10.0


class Identity:
    """Asks the query service's own authenticator, whose event loop runs in a thread here."""

    def __init__(self, settings: Settings) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="flight-identity", daemon=True)
        self._thread.start()
        self._access = Access(settings)
        self._wait(self._access.open())

    def reader_of(self, token: str | None) -> Reader:
        """Whoever the token speaks for. Raises Unauthorized, Forbidden, NotReadyError."""
        reader: Reader = self._wait(self._access.authenticator.authenticate(token))
        return reader

    def stop(self) -> None:
        """Close its connections and end its thread."""
        self._wait(self._access.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _wait(self, awaitable: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(awaitable, self._loop).result(TIMEOUT_SECONDS)


class CallMiddleware(flight.ServerMiddleware):  # type: ignore[misc]  # pyarrow has no types
    """What is known of one call: who makes it."""

    def __init__(self, reader: Reader, answered: Mapping[str, str]) -> None:
        self.reader, self._answered = reader, answered

    def sending_headers(self) -> dict[str, str]:
        """Headers of the answer: the bearer token to those that came with user and password."""
        return dict(self._answered)


class SignIn(flight.ServerMiddlewareFactory):  # type: ignore[misc]  # pyarrow has no types
    """Lets nobody in without a token that may read."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def start_call(self, _info: flight.CallInfo, headers: Mapping[str, list[str]]) -> CallMiddleware:
        """The call's middleware; raises what the client sees."""
        try:
            token, answered = _token(headers)
            return CallMiddleware(self._identity.reader_of(token), answered)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets Flight's own words for it
            raise_for_client(error)


class NoHandshake(flight.ServerAuthHandler):  # type: ignore[misc]  # pyarrow has no types
    """The handshake of `authenticate_basic_token`: the headers, which `SignIn` reads, are all of it."""

    def authenticate(self, outgoing: object, incoming: object) -> None:
        """Nothing is said besides."""

    def is_valid(self, _token: bytes) -> str:
        """Every call has passed `SignIn` already."""
        return ""


def _token(headers: Mapping[str, list[str]]) -> tuple[str | None, dict[str, str]]:
    """The token of a call, and headers to answer: a key may also come as the password of any user."""
    values = next((headers[name] for name in headers if name.lower() == "authorization"), [])
    scheme, _, given = (values[0] if values else "").partition(" ")
    if scheme.lower() == "basic":
        try:
            _, _, password = base64.b64decode(given, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None, {}
        return password or None, {"authorization": f"Bearer {password}"}
    return (given.strip() or None if scheme.lower() == "bearer" else None), {}
