"""Signing in with a browser: authorization code with PKCE (RFC 6749, RFC 7636, OpenID Connect Core 1.0)."""

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import httpx
import jwt
import msgspec

from eventmill.control.web_sessions import WebSession
from eventmill.errors import NotReadyError
from query_service.oidc.issuer import MAX_ANSWER_BYTES, Endpoints, Issuer
from query_service.oidc.sessions import Sessions
from query_service.oidc.tokens import TokenVerifier
from query_service.problems import Unauthorized

ATTEMPT_SECONDS = 600
_ALGORITHM = "HS256"
MAX_NEXT_CHARACTERS = 500
_STALE = "The sign-in is not one that this browser began here, or it took too long: begin again."


@dataclass(frozen=True, slots=True)
class SignInRules:
    """Who we are for the issuer: `redirect_url` is our /auth/callback, registered there; no secret: a public client."""

    client_id: str
    client_secret: str | None
    redirect_url: str
    scopes: str
    session_seconds: int

    @property
    def is_secure(self) -> bool:
        """Whether browsers reach us over HTTPS: cookies are for it alone then."""
        return urlsplit(self.redirect_url).scheme == "https"


@dataclass(frozen=True, slots=True)
class Attempt:
    """A sign-in that was begun: where the browser goes next, and the cookie that knows it again."""

    location: str
    cookie: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A sign-in that was finished: the session's token, when it ends, and the page that was asked for."""

    token: str
    expires_at: datetime
    next_page: str


class SignIn:
    """Begins and finishes sign-ins; nothing of them is kept here, so that any replica can finish what another began."""

    def __init__(
        self,
        rules: SignInRules,
        issuer: Issuer,
        verifier: TokenVerifier,
        sessions: Sessions,
        client: httpx.AsyncClient,
        signing_key: Callable[[], Awaitable[bytes]],
    ) -> None:
        self.rules = rules
        self._issuer, self._verifier, self._sessions = issuer, verifier, sessions
        self._client, self._signing_key = client, signing_key

    async def begin(self, next_page: str | None) -> Attempt:
        """Where to send the browser. Raises NotReadyError where the issuer cannot be asked."""
        endpoints = await self._issuer.endpoints()
        if endpoints.authorization_endpoint is None or endpoints.token_endpoint is None:
            raise NotReadyError("The issuer has no sign-in with an authorization code.")
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": self.rules.client_id,
            "redirect_uri": self.rules.redirect_url,
            "scope": self.rules.scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        kept = {"state": state, "nonce": nonce, "verifier": verifier, "next": own_page(next_page)}
        cookie = jwt.encode(kept | {"exp": int(time.time()) + ATTEMPT_SECONDS}, await self._signing_key(), _ALGORITHM)
        joint = "&" if "?" in endpoints.authorization_endpoint else "?"
        return Attempt(f"{endpoints.authorization_endpoint}{joint}{urlencode(asked)}", cookie)

    async def finish(self, cookie: str | None, returned: Mapping[str, str]) -> SignedIn:
        """Exchange what the issuer sent back for a session.

        Raises Unauthorized where it is not the answer to this browser's attempt or the issuer refuses, Forbidden where
        whoever signed in may see no app, NotReadyError where the issuer does not answer.
        """
        attempt = await self._attempt(cookie)
        if not hmac.compare_digest(attempt["state"].encode(), returned.get("state", "").encode("utf-8", "replace")):
            raise Unauthorized(_STALE)
        # RFC 9207: an answer that another issuer sent must not be exchanged here.
        if returned.get("iss", self._issuer.url) != self._issuer.url or "code" not in returned:
            raise Unauthorized("The issuer did not sign you in.")
        token = await self._exchange(returned["code"], attempt["verifier"])
        claims = await self._verifier.claims(token, self.rules.client_id)
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), attempt["nonce"].encode()):
            raise Unauthorized(_STALE)
        if claims.get("azp", self.rules.client_id) != self.rules.client_id:
            raise Unauthorized("The sign-in is for another client.")
        reader = self._verifier.reader_of(claims)
        expires_at = datetime.now(UTC) + timedelta(seconds=self.rules.session_seconds)
        session = WebSession(reader.subject, reader.kind, reader.app_ids, reader.may_see_people, expires_at)
        return SignedIn(await self._sessions.begin(session), expires_at, attempt["next"])

    async def _attempt(self, cookie: str | None) -> dict[str, Any]:
        try:
            kept: dict[str, Any] = jwt.decode(
                cookie or "",
                await self._signing_key(),
                algorithms=[_ALGORITHM],
                options={"require": ["exp", "state", "nonce", "verifier", "next"]},
            )
        except jwt.PyJWTError:
            raise Unauthorized(_STALE) from None
        return kept

    async def _exchange(self, code: str, verifier: str) -> str:
        """The ID token for a code. Raises Unauthorized where the issuer refuses it, NotReadyError."""
        endpoints = await self._issuer.endpoints()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.rules.redirect_url,
            "code_verifier": verifier,
        }
        try:
            response = await self._client.post(
                endpoints.token_endpoint or "",
                data=form | self._own_form(endpoints),
                headers=self._own_headers(endpoints),
            )
            found = msgspec.json.decode(response.content) if len(response.content) <= MAX_ANSWER_BYTES else None
        except (httpx.HTTPError, OSError, ValueError) as error:
            raise NotReadyError(f"The issuer of tokens does not answer: {type(error).__name__}") from error
        if response.status_code >= 500:
            raise NotReadyError(f"The issuer of tokens answers {response.status_code}.")
        if not response.is_success or not isinstance(found, dict) or not isinstance(found.get("id_token"), str):
            raise Unauthorized("The issuer did not sign you in.")
        return str(found["id_token"])

    def _own_headers(self, endpoints: Endpoints) -> dict[str, str]:
        if self.rules.client_secret is None or not endpoints.takes_basic:
            return {}
        # RFC 6749, section 2.3.1: both are encoded before they are joined.
        pair = f"{quote(self.rules.client_id, safe='')}:{quote(self.rules.client_secret, safe='')}"
        return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}

    def _own_form(self, endpoints: Endpoints) -> dict[str, str]:
        if self.rules.client_secret is None:
            return {"client_id": self.rules.client_id}
        if endpoints.takes_basic:
            return {}
        return {"client_id": self.rules.client_id, "client_secret": self.rules.client_secret}


def own_page(asked: str | None) -> str:
    """The page to show after signing in: a path of ours, else `/`; never an address elsewhere."""
    if not asked or len(asked) > MAX_NEXT_CHARACTERS or not asked.isascii() or not asked.isprintable():
        return "/"
    # Browsers read `\` as `/`, and `//host` is another host.
    return asked if asked[0] == "/" and not asked.startswith("//") and "\\" not in asked else "/"
