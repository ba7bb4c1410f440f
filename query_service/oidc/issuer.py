"""An OpenID Connect issuer: what it publishes about itself, and the keys that it signs with."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import jwt
import msgspec
import structlog

from eventmill.errors import NotReadyError, SettingsError

# Only signatures that are made with a private key: a public key can then never pass for a shared secret.
ALGORITHMS = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC", "EdDSA": "OKP"}
REQUEST_SECONDS = 3.0
MAX_ANSWER_BYTES = 256 * 1024
KEYS_FRESH_SECONDS = 300.0
# After a look at the keys, whatever came of it, tokens with made-up key ids do not cause the next one sooner.
RETRY_SECONDS = 10.0
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

logger = structlog.get_logger(__name__)


def check_address(url: str, setting: str) -> str:
    """The address, if tokens may rest on it: HTTPS, or this very machine. Raises SettingsError that names `setting`."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise SettingsError(
            f"{setting}: the address is not https://.", "Only an issuer on this machine may use http://."
        )
    return url


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What of the issuer's published configuration is used; None where it does not have it."""

    jwks_uri: str
    authorization_endpoint: str | None
    token_endpoint: str | None
    takes_basic: bool


class Issuer:
    """Reads the configuration once and the keys every five minutes, or where a token names a key that is unknown.

    Keys that are known stay good while the issuer does not answer; those that it has withdrawn are forgotten.
    """

    def __init__(self, url: str, client: httpx.AsyncClient, clock: Callable[[], float] = time.monotonic) -> None:
        self.url = check_address(url, "EVENTMILL_OIDC_ISSUER")
        self._client, self._clock = client, clock
        self._endpoints: Endpoints | None = None
        self._keys: Mapping[str | None, Mapping[str, Any]] | None = None
        self._looked_at = float("-inf")
        self._fresh_until = float("-inf")
        self._error = ""
        self._lock = asyncio.Lock()

    async def key(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        """The public key of that id, for that algorithm of ALGORITHMS; None where the issuer has none.

        Raises NotReadyError where the key is unknown and the issuer cannot be asked.
        """
        # While one request looks whether a known key is still there, the others go on with it.
        is_due = self._clock() >= self._fresh_until and not self._lock.locked()
        if not self._knows(key_id) or is_due:
            await self._look(key_id)
        found = (self._keys or {}).get(key_id)
        if found is None and self._error:
            raise NotReadyError(f"The issuer of tokens does not answer: {self._error}")
        if found is None or found.get("kty") != ALGORITHMS[algorithm] or found.get("alg", algorithm) != algorithm:
            return None
        try:
            return jwt.PyJWK(dict(found), algorithm)
        except jwt.PyJWTError:
            return None

    async def endpoints(self) -> Endpoints:
        """Its addresses. Raises NotReadyError where they are unknown and the issuer cannot be asked."""
        if self._endpoints is None:
            try:
                self._endpoints = await self._discover()
            except (httpx.HTTPError, OSError, TimeoutError, ValueError) as error:
                raise NotReadyError(f"The issuer of tokens does not answer: {type(error).__name__}") from error
        return self._endpoints

    def _knows(self, key_id: str | None) -> bool:
        return self._keys is not None and key_id in self._keys

    async def _look(self, key_id: str | None) -> None:
        """Read the keys again, unless that was just tried; of many at once, one does it."""
        async with self._lock:
            now = self._clock()
            is_enough = self._knows(key_id) and now < self._fresh_until
            if is_enough or now < self._looked_at + RETRY_SECONDS:
                return
            self._looked_at = now
            try:
                endpoints = await self.endpoints()
                self._keys = _by_id(await self._read(endpoints.jwks_uri))
            except (httpx.HTTPError, OSError, TimeoutError, ValueError, NotReadyError) as error:
                self._error = type(error).__name__
                logger.warning("keys of the issuer of tokens were not read", error=self._error)
            else:
                self._error = ""
                self._fresh_until = now + KEYS_FRESH_SECONDS

    async def _discover(self) -> Endpoints:
        """Its configuration (OpenID Connect Discovery 1.0, section 4)."""
        found = await self._read(self.url.rstrip("/") + "/.well-known/openid-configuration")
        if found.get("issuer") != self.url:
            raise ValueError("the configuration is another issuer's")
        methods = found.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        return Endpoints(
            jwks_uri=_address(found["jwks_uri"]) if "jwks_uri" in found else _missing("jwks_uri"),
            authorization_endpoint=_optional(found.get("authorization_endpoint")),
            token_endpoint=_optional(found.get("token_endpoint")),
            takes_basic="client_secret_basic" in methods,
        )

    async def _read(self, url: str) -> dict[str, Any]:
        """The JSON object behind an address, bounded in time and size. Redirects are not followed."""
        async with asyncio.timeout(REQUEST_SECONDS), self._client.stream("GET", url) as response:
            response.raise_for_status()
            if response.has_redirect_location:
                raise ValueError("the issuer redirects")
            content = b""
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > MAX_ANSWER_BYTES:
                    raise ValueError("the issuer's answer is too long")
        found = msgspec.json.decode(content)
        if not isinstance(found, dict):
            raise ValueError("the issuer's answer is no JSON object")  # noqa: TRY004 - what came is wrong, not its type
        return found


def _by_id(published: Mapping[str, Any]) -> dict[str | None, Mapping[str, Any]]:
    """Keys for signatures, by id (RFC 7517). One without an id is found where it is the only one."""
    listed = published.get("keys")
    if not isinstance(listed, list):
        raise ValueError("the issuer's answer holds no keys")  # noqa: TRY004 - as above
    usable = [
        one
        for one in listed
        if isinstance(one, dict) and one.get("kty") in ALGORITHMS.values() and one.get("use", "sig") == "sig"
    ]
    found: dict[str | None, Mapping[str, Any]] = {one["kid"]: one for one in usable if isinstance(one.get("kid"), str)}
    if len(usable) == 1:
        found[None] = usable[0]
    return found


def _address(url: object) -> str:
    if not isinstance(url, str):
        raise ValueError("an address of the issuer is no text")  # noqa: TRY004 - as above
    try:
        return check_address(url, "the issuer's configuration")
    except SettingsError as error:
        raise ValueError(error.message) from None


def _optional(url: object) -> str | None:
    return None if url is None else _address(url)


def _missing(name: str) -> str:
    raise ValueError(f"the issuer's configuration has no {name}")
