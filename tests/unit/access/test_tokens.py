"""Tokens of an issuer: which are good, and that no trick makes another one good."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from eventmill.errors import NotReadyError, SettingsError
from query_service.oidc.issuer import KEYS_FRESH_SECONDS, RETRY_SECONDS, Issuer
from query_service.oidc.tokens import TokenRules, TokenVerifier
from query_service.problems import Forbidden, Unauthorized
from query_service.reader import Reader
from tests import oidc_issuer
from tests.oidc_issuer import AUDIENCE, public_pem, running_issuer

RULES = TokenRules(AUDIENCE, "eventmill_apps", "scope", leeway_seconds=30)
NOW = int(time.time())
# Whenever the tests come to it.
LATER = NOW + 86_400


class Verifying:
    """A verifier whose clock the test moves, and subjects whose tokens are revoked."""

    def __init__(self, issuer: oidc_issuer.Issuer, client: httpx.AsyncClient) -> None:
        self.time = 0.0
        self.revoked: dict[str, datetime] = {}
        self.verifier = TokenVerifier(Issuer(issuer.url, client, lambda: self.time), RULES, self._revoked_before)

    async def _revoked_before(self, subject: str) -> datetime | None:
        return self.revoked.get(subject)

    async def refusal(self, token: str) -> str:
        with pytest.raises(Unauthorized) as refused:
            await self.verifier.reader(token)
        return str(refused.value)


@pytest.fixture
def issuer() -> Iterator[oidc_issuer.Issuer]:
    with running_issuer() as issuer:
        yield issuer


@pytest.fixture
async def verifying(issuer: oidc_issuer.Issuer) -> AsyncIterator[Verifying]:
    async with httpx.AsyncClient(timeout=3, trust_env=False) as client:
        yield Verifying(issuer, client)


def forged(header: dict[str, Any], claims: dict[str, Any], secret: bytes | None) -> str:
    """A token that no library would make: signed with HMAC, or not at all."""
    parts = [base64.urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=") for one in (header, claims)]
    signed = b".".join(parts)
    signature = b"" if secret is None else hmac.new(secret, signed, hashlib.sha256).digest()
    return (signed + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


async def test_a_token_reads_the_apps_that_it_names(issuer: oidc_issuer.Issuer, verifying: Verifying) -> None:
    reader = await verifying.verifier.reader(issuer.token(eventmill_apps=["shop", "blog"]))
    assert reader == Reader(("blog", "shop"), "read", may_see_people=False, subject="oidc:ada")


@pytest.mark.parametrize(
    ("scope", "expected"),
    [("openid people", ("read", True)), (["admin"], ("admin", True)), ("administrator", ("read", False))],
)
async def test_scopes_give_what_keys_of_that_kind_may(
    issuer: oidc_issuer.Issuer, verifying: Verifying, scope: object, expected: tuple[str, bool]
) -> None:
    reader = await verifying.verifier.reader(issuer.token(scope=scope))
    assert (reader.kind, reader.may_see_people) == expected


@pytest.mark.parametrize("apps", [None, [], ["No App"], 7, {"shop": True}])
async def test_a_token_that_names_no_app_is_forbidden(
    issuer: oidc_issuer.Issuer, verifying: Verifying, apps: object
) -> None:
    with pytest.raises(Forbidden) as refused:
        await verifying.verifier.reader(issuer.token(eventmill_apps=apps))
    assert "eventmill_apps" in refused.value.rule


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": NOW - 60}, "expired"),
        ({"nbf": LATER}, "not valid yet"),
        ({"iat": LATER}, "not valid yet"),
        ({"aud": "another"}, "another audience"),
        ({"iss": "http://127.0.0.1:1"}, "another issuer"),
        ({"exp": None}, "missing"),
        ({"aud": None}, "missing"),
        ({"sub": None}, "missing"),
        ({"sub": ""}, "subject"),
        ({"sub": "a\nb"}, "subject"),
    ],
)
async def test_a_claim_that_is_wrong_is_refused(
    issuer: oidc_issuer.Issuer, verifying: Verifying, claims: dict[str, Any], reason: str
) -> None:
    assert reason in await verifying.refusal(issuer.token(**claims))


async def test_the_clocks_may_differ_by_the_leeway(issuer: oidc_issuer.Issuer, verifying: Verifying) -> None:
    now = int(time.time())
    assert await verifying.verifier.reader(issuer.token(exp=now - 10, nbf=now + 10))


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "HS512", "RS512", ""])
async def test_a_token_does_not_choose_its_algorithm(
    issuer: oidc_issuer.Issuer, verifying: Verifying, algorithm: str
) -> None:
    claims = {"iss": issuer.url, "aud": AUDIENCE, "exp": LATER, "sub": "eve", "eventmill_apps": ["shop"]}
    # Key confusion: what is public of the key, taken for a shared secret.
    for secret in (None, public_pem("one"), public_pem("one").strip()):
        token = forged({"alg": algorithm, "kid": "one", "typ": "JWT"}, claims, secret)
        assert "algorithm" in await verifying.refusal(token)


async def test_a_token_of_a_key_that_is_not_the_issuers_is_refused(
    issuer: oidc_issuer.Issuer, verifying: Verifying
) -> None:
    assert "no such key" in await verifying.refusal(issuer.token(key="foreign"))
    assert "no token of the issuer" in await verifying.refusal(issuer.token(key="foreign", key_id="one"))
    token = issuer.token()
    assert "no token of the issuer" in await verifying.refusal(token[:-8] + "AAAAAAAA")
    for text in ("a.b.c", "x", "é.é.é", "." * 3, "a" * 20_000):
        assert await verifying.refusal(text)


async def test_a_revoked_subject_needs_a_new_token(issuer: oidc_issuer.Issuer, verifying: Verifying) -> None:
    verifying.revoked["ada"] = datetime.now(UTC) - timedelta(minutes=1)
    assert await verifying.verifier.reader(issuer.token())
    assert await verifying.refusal(issuer.token(iat=NOW - 600)) == "The token is revoked."
    assert await verifying.refusal(issuer.token(iat=None)) == "The token is revoked."


async def test_a_new_key_of_the_issuer_is_found_and_a_withdrawn_one_forgotten(
    issuer: oidc_issuer.Issuer, verifying: Verifying
) -> None:
    old = issuer.token()
    await verifying.verifier.reader(old)
    issuer.key_names = ["two"]
    verifying.time += RETRY_SECONDS
    await verifying.verifier.reader(issuer.token())
    assert "no such key" in await verifying.refusal(old)


async def test_a_withdrawn_key_is_forgotten_without_a_new_one(issuer: oidc_issuer.Issuer, verifying: Verifying) -> None:
    token = issuer.token()
    await verifying.verifier.reader(token)
    issuer.key_names = []
    verifying.time += KEYS_FRESH_SECONDS
    assert "no such key" in await verifying.refusal(token)


async def test_made_up_keys_do_not_have_the_issuer_asked_each_time(
    issuer: oidc_issuer.Issuer, verifying: Verifying
) -> None:
    await verifying.verifier.reader(issuer.token())
    for number in range(5):
        await verifying.refusal(issuer.token(key_id=f"made-up-{number}"))
    assert issuer.asked.count("/keys") == 1


async def test_known_keys_stay_good_while_the_issuer_is_down(issuer: oidc_issuer.Issuer, verifying: Verifying) -> None:
    token = issuer.token()
    await verifying.verifier.reader(token)
    issuer.is_down = True
    verifying.time += KEYS_FRESH_SECONDS
    assert await verifying.verifier.reader(token)
    with pytest.raises(NotReadyError):
        await verifying.verifier.reader(issuer.token(key="two"))
    issuer.is_down = False
    verifying.time += RETRY_SECONDS
    assert "no such key" in await verifying.refusal(issuer.token(key="two"))


async def test_nobody_can_tell_before_the_issuer_was_reached(issuer: oidc_issuer.Issuer, verifying: Verifying) -> None:
    issuer.is_down = True
    with pytest.raises(NotReadyError):
        await verifying.verifier.reader(issuer.token())
    issuer.is_down = False
    verifying.time += RETRY_SECONDS
    assert await verifying.verifier.reader(issuer.token())


async def test_a_configuration_of_another_issuer_is_not_believed(
    issuer: oidc_issuer.Issuer, verifying: Verifying
) -> None:
    token = issuer.token()
    issuer.url += "/elsewhere"
    with pytest.raises(NotReadyError):
        await verifying.verifier.reader(token)


async def test_an_issuer_elsewhere_needs_https() -> None:
    async with httpx.AsyncClient() as client:
        with pytest.raises(SettingsError, match="EVENTMILL_OIDC_ISSUER"):
            Issuer("http://issuer.example", client)
