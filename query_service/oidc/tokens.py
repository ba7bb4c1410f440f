"""Tells whether a token is the issuer's and for us, and which apps it names."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import jwt

from eventmill.contracts.subjects import is_app_id
from eventmill.control.credentials import PEOPLE
from query_service.oidc.issuer import ALGORITHMS, Issuer
from query_service.problems import Forbidden, Unauthorized
from query_service.reader import Reader

ADMIN = "admin"
MAX_TOKEN_CHARACTERS = 16 * 1024
MAX_SUBJECT_CHARACTERS = 255
_REASONS: tuple[tuple[type[jwt.PyJWTError], str], ...] = (
    (jwt.ExpiredSignatureError, "it is expired"),
    (jwt.ImmatureSignatureError, "it is not valid yet"),
    (jwt.InvalidAudienceError, "it is for another audience"),
    (jwt.InvalidIssuerError, "it is another issuer's"),
    (jwt.MissingRequiredClaimError, "a claim is missing"),
    (jwt.InvalidAlgorithmError, "its algorithm is not taken"),
)

# The instant before which tokens of a subject are revoked, None for a subject of which none is.
RevokedBefore = Callable[[str], Awaitable[datetime | None]]


@dataclass(frozen=True, slots=True)
class TokenRules:
    """What a token must be: of `audience`; its claims `apps_claim` and `scope_claim` say what it may."""

    audience: str
    apps_claim: str
    scope_claim: str
    leeway_seconds: int


class TokenVerifier:
    """Checks tokens against the issuer's keys; no token chooses its algorithm, issuer, audience or times."""

    def __init__(self, issuer: Issuer, rules: TokenRules, revoked_before: RevokedBefore) -> None:
        self._issuer, self._rules, self._revoked_before = issuer, rules, revoked_before

    async def reader(self, token: str) -> Reader:
        """Whoever the token speaks for. Raises Unauthorized, Forbidden where it names no app, and NotReadyError."""
        claims = await self.claims(token, self._rules.audience)
        return self.reader_of(claims)

    async def claims(self, token: str, audience: str) -> Mapping[str, Any]:
        """The claims of a token that is good for `audience`. Raises Unauthorized, and NotReadyError."""
        key = await self._key(token)
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                audience=audience,
                issuer=self._issuer.url,
                leeway=self._rules.leeway_seconds,
                options={"require": ["exp", "iss", "aud", "sub"], "enforce_minimum_key_length": True},
            )
        except jwt.PyJWTError as error:
            raise _refusal(error) from None
        if not 1 <= len(claims["sub"]) <= MAX_SUBJECT_CHARACTERS or not claims["sub"].isprintable():
            raise Unauthorized("The token is not valid here: its subject is none.")
        await self._refuse_revoked(claims)
        return claims

    def reader_of(self, claims: Mapping[str, Any]) -> Reader:
        """The reader that good claims speak of. Raises Forbidden where they name no app."""
        rule = f"The claim {self._rules.apps_claim!r} lists the ids of apps."
        named = _words(claims.get(self._rules.apps_claim))
        apps = tuple(sorted({one for one in named if is_app_id(one)}))
        if not apps:
            raise Forbidden("The token names no app.", rule)
        scopes = _words(claims.get(self._rules.scope_claim))
        is_admin = ADMIN in scopes
        return Reader(apps, "admin" if is_admin else "read", is_admin or PEOPLE in scopes, f"oidc:{claims['sub']}")

    async def _key(self, token: str) -> jwt.PyJWK:
        if len(token) > MAX_TOKEN_CHARACTERS:
            raise Unauthorized("The token is too long.")
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError as error:
            raise _refusal(error) from None
        algorithm, key_id = header.get("alg"), header.get("kid")
        if algorithm not in ALGORITHMS:
            raise _refusal(jwt.InvalidAlgorithmError())
        key = await self._issuer.key(key_id, algorithm)
        if key is None:
            raise Unauthorized("The token is not valid here: the issuer has no such key.")
        return key

    async def _refuse_revoked(self, claims: Mapping[str, Any]) -> None:
        revoked_before = await self._revoked_before(claims["sub"])
        if revoked_before is None:
            return
        issued_at = claims.get("iat")
        if not isinstance(issued_at, int | float) or issued_at < revoked_before.timestamp():
            raise Unauthorized("The token is revoked.")


def _words(claim: object) -> list[str]:
    """A claim that is a list of texts, or one text with words apart by spaces (RFC 8693, section 4.2)."""
    if isinstance(claim, str):
        return claim.split()
    return [one for one in claim if isinstance(one, str)] if isinstance(claim, list) else []


def _refusal(error: jwt.PyJWTError) -> Unauthorized:
    for kind, reason in _REASONS:
        if isinstance(error, kind):
            return Unauthorized(f"The token is not valid here: {reason}.")
    return Unauthorized("The token is not valid here: it is no token of the issuer.")
