"""Wires together who may ask: keys, an issuer's tokens, browser sessions."""

import asyncio
import ssl
from dataclasses import dataclass

import httpx
from psycopg_pool import AsyncConnectionPool

from eventmill.cancelling import cancel
from eventmill.control.key_store import FLUSH_SECONDS, KeyStore
from eventmill.control.signing_keys import signing_key
from eventmill.errors import SettingsError
from eventmill.settings import Settings
from eventmill.warehouse import async_pool
from query_service.auth import Authenticator
from query_service.oidc.issuer import REQUEST_SECONDS, Issuer, check_address
from query_service.oidc.sessions import Revocations, Sessions
from query_service.oidc.sign_in import SignIn, SignInRules
from query_service.oidc.tokens import TokenRules, TokenVerifier

# A pool of its own: nobody waits for a slow question to be told that a key is wrong.
POOL_SIZE = 3
STATEMENT_TIMEOUT_MS = 2_000


@dataclass(frozen=True, slots=True)
class _Oidc:
    verifier: TokenVerifier
    sign_in: SignIn | None
    client: httpx.AsyncClient


class Access:
    """Everything that tells who asks; `sign_in` is None where the settings name no client of an issuer."""

    def __init__(self, settings: Settings) -> None:
        self._pool = async_pool(settings, max_size=POOL_SIZE, statement_timeout_ms=STATEMENT_TIMEOUT_MS)
        self.store = KeyStore(self._pool)
        self.sessions = Sessions(self._pool)
        self._oidc = _oidc(settings, self._pool, self.sessions)
        self.sign_in: SignIn | None = None if self._oidc is None else self._oidc.sign_in
        verifier = None if self._oidc is None else self._oidc.verifier
        self.authenticator = Authenticator(self.store.keys, verifier, self.sessions)
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Start connecting, and writing down when keys were used; does not wait for Postgres."""
        await self._pool.open(wait=False)
        self._task = asyncio.create_task(self._flush_uses())

    async def close(self) -> None:
        """Write down the last uses and close all connections."""
        if self._task is not None:
            await cancel(self._task)
        await self.store.flush_uses()
        await self._pool.close()
        if self._oidc is not None:
            await self._oidc.client.aclose()

    async def _flush_uses(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.store.flush_uses()


def _oidc(settings: Settings, pool: AsyncConnectionPool, sessions: Sessions) -> _Oidc | None:
    """Raises SettingsError where the settings of the issuer are incomplete or wrong."""
    if settings.oidc_issuer is None:
        return None
    audience = settings.oidc_audience or settings.oidc_client_id
    if audience is None:
        raise SettingsError("EVENTMILL_OIDC_AUDIENCE is not set.", "It is what the tokens' claim `aud` must name.")
    client = _client(settings)
    issuer = Issuer(settings.oidc_issuer, client)
    rules = TokenRules(audience, settings.oidc_apps_claim, settings.oidc_scope_claim, settings.oidc_leeway_seconds)
    verifier = TokenVerifier(issuer, rules, Revocations(pool).revoked_before)
    if settings.oidc_client_id is None:
        return _Oidc(verifier, None, client)

    async def sign_in_key() -> bytes:
        async with pool.connection() as connection:
            return await signing_key(connection, "sign_in")

    sign_in = SignIn(_sign_in_rules(settings, settings.oidc_client_id), issuer, verifier, sessions, client, sign_in_key)
    return _Oidc(verifier, sign_in, client)


def _client(settings: Settings) -> httpx.AsyncClient:
    """Asks the issuer; built once, since loading the trusted authorities takes tens of milliseconds."""
    try:
        context = ssl.create_default_context(cafile=settings.oidc_ca_file)
    except OSError as error:
        raise SettingsError(f"EVENTMILL_OIDC_CA_FILE: it does not load: {error}.", "It is a PEM file.") from None
    return httpx.AsyncClient(timeout=REQUEST_SECONDS, verify=context, trust_env=False, follow_redirects=False)


def _sign_in_rules(settings: Settings, client_id: str) -> SignInRules:
    own = f"{settings.http_scheme}://127.0.0.1:{settings.http_port}/auth/callback"
    redirect_url = check_address(settings.oidc_redirect_url or own, "EVENTMILL_OIDC_REDIRECT_URL")
    return SignInRules(
        client_id, settings.oidc_client_secret, redirect_url, settings.oidc_scopes, settings.oidc_session_seconds
    )
