"""Pages of other origins: what a browser is told, and what a key lets in."""

import httpx
import psycopg
import pytest
from nats.js import JetStreamContext

from eventmill.control import apps
from eventmill.control.apps import IssuedKeys
from tests.gateway_calls import GOOD, last_seq, post

pytestmark = pytest.mark.integration

SHOP = "https://shop.example"


@pytest.fixture
def strict_keys(database: str) -> IssuedKeys:
    with psycopg.connect(database) as connection:
        return apps.create_app(connection, "strict", allowed_origins=[SHOP])[1]


async def test_a_preflight_allows_what_the_sdks_send(gateway: httpx.AsyncClient) -> None:
    headers = {
        "Origin": SHOP,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-encoding",
    }
    answer = await gateway.options("/v1/events", headers=headers)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == SHOP
    assert answer.headers["access-control-allow-methods"] == "POST"
    assert {"Authorization", "Content-Encoding"} <= set(answer.headers["access-control-allow-headers"].split(", "))
    assert int(answer.headers["access-control-max-age"]) > 0
    assert answer.headers["vary"] == "Origin"


async def test_a_page_of_any_origin_may_use_an_ordinary_write_key(gateway: httpx.AsyncClient, keys: IssuedKeys) -> None:
    answer = await post(gateway, keys.write_key, GOOD, Origin=SHOP)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, SHOP)
    assert answer.headers["vary"] == "Origin"


async def test_a_key_lets_in_the_origins_it_names_and_no_other(
    gateway: httpx.AsyncClient, strict_keys: IssuedKeys, jetstream: JetStreamContext
) -> None:
    refused = await post(gateway, strict_keys.write_key, GOOD, Origin="https://evil.example")
    assert (refused.status_code, refused.json()["field"]) == (403, "Origin")
    assert "access-control-allow-origin" not in refused.headers
    assert await last_seq(jetstream) == 0
    assert (await post(gateway, strict_keys.write_key, GOOD, Origin=SHOP)).status_code == 200


async def test_a_beacon_of_another_origin_is_refused_without_a_preflight(
    gateway: httpx.AsyncClient, strict_keys: IssuedKeys, jetstream: JetStreamContext
) -> None:
    headers = {"Content-Type": "text/plain;charset=UTF-8", "Origin": "null"}
    answer = await gateway.post("/v1/events", params={"write_key": strict_keys.write_key}, json=GOOD, headers=headers)
    assert (answer.status_code, await last_seq(jetstream)) == (403, 0)


async def test_requests_of_no_page_and_of_the_gateways_own_site_need_no_origin(
    gateway: httpx.AsyncClient, strict_keys: IssuedKeys
) -> None:
    assert (await post(gateway, strict_keys.write_key, GOOD)).status_code == 200
    own = {"Origin": "https://www.example.org", "Host": "www.example.org"}
    assert (await post(gateway, strict_keys.write_key, GOOD, **own)).status_code == 200


async def test_a_page_can_read_why_it_was_refused(gateway: httpx.AsyncClient) -> None:
    answer = await post(gateway, "nonsense", GOOD, Origin=SHOP)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (401, SHOP)
    assert "Retry-After" in answer.headers["access-control-expose-headers"]
