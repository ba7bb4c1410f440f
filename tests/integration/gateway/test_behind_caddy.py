"""The recipe for Caddy, run as it stands but for names, ports and certificates, before a real gateway."""

import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest
from nats.js import JetStreamContext

from eventmill.contracts.event import StoredEvent
from eventmill.contracts.subjects import STREAM
from eventmill.control.apps import IssuedKeys
from eventmill.settings import Settings
from tests.gateway_calls import StartGateway, bearer, last_seq, stored, until_answers
from tests.workers import free_ports

pytestmark = pytest.mark.integration
RECIPE = Path(__file__).parents[3] / "deploy" / "caddy" / "Caddyfile"
CADDY = shutil.which("caddy")
EVENT = {"event_type": "page_view", "page_url": "/", "user_id": "u"}
BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}


@pytest.fixture
def caddy(settings: Settings, new_directory: Callable[[], Path]) -> Iterator[str]:
    """Address of a Caddy with our recipe; the server names choose the site."""
    if CADDY is None:
        pytest.skip("Caddy is not installed")
    directory = new_directory()
    (port,) = free_ports(1)
    recipe = RECIPE.read_text()
    for name in ("events", "analytics", "www"):
        recipe = recipe.replace(f"\n{name}.example.com {{", f"\nhttp://{name}.example.com:{port} {{")
    recipe = recipe.replace("127.0.0.1:8090", f"127.0.0.1:{settings.ingest_port}")
    recipe = recipe.replace("127.0.0.1:8080", f"127.0.0.1:{settings.http_port}")
    configuration = directory / "Caddyfile"
    configuration.write_text("{\n\tadmin off\n\tauto_https off\n\tdefault_bind 127.0.0.1\n}\n" + recipe)
    command = [CADDY, "run", "--adapter", "caddyfile", "--config", str(configuration)]
    with (directory / "error.log").open("wb") as log:
        process = subprocess.Popen(command, stderr=log, cwd=directory, env={"HOME": str(directory)})
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(30)


@pytest.fixture
async def proxied(start_gateway: StartGateway, settings: Settings, caddy: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of Caddy, whose gateway trusts it."""
    gateway = await start_gateway(settings.model_copy(update={"trusted_proxies": "127.0.0.1/32"}))
    await until_answers(gateway, "/health/ready")
    async with httpx.AsyncClient(base_url=caddy, headers={"Host": "events.example.com"}) as client:
        await until_answers(client, "/em.js")
        yield client


async def test_a_visitor_cannot_make_an_address_up(
    proxied: httpx.AsyncClient, keys: IssuedKeys, jetstream: JetStreamContext
) -> None:
    visitors = []
    for address in ("203.0.113.7", "203.0.113.8"):
        headers = bearer(keys.write_key) | BROWSER | {"X-Forwarded-For": address}
        answer = await proxied.post("/v1/events", json={"event_type": "page_view", "page_url": "/"}, headers=headers)
        assert answer.json()["accepted"] == 1
        _, [event] = await stored(jetstream, await last_seq(jetstream))
        assert isinstance(event, StoredEvent)
        visitors.append(event.anonymous_id)
    # Caddy believes no client's X-Forwarded-For: both requests came from the test's own address.
    assert visitors[0] == visitors[1] is not None


async def test_the_snippet_and_its_events_are_first_party_below_a_path_of_the_site(
    proxied: httpx.AsyncClient, keys: IssuedKeys
) -> None:
    proxied.headers["Host"] = "www.example.com"
    assert (await proxied.get("/em/em.js")).headers["content-type"].startswith("text/javascript")
    content = {"Content-Type": "text/plain"} | BROWSER
    body = b'{"event_type":"page_view","page_url":"/"}'
    answer = await proxied.post(f"/em/v1/events?write_key={keys.write_key}", content=body, headers=content)
    assert answer.json()["accepted"] == 1


async def test_a_sites_cookies_stay_with_the_site(
    proxied: httpx.AsyncClient, keys: IssuedKeys, jetstream: JetStreamContext
) -> None:
    proxied.headers["Host"] = "www.example.com"
    headers = bearer(keys.write_key) | {"Cookie": "session=secret"}
    assert (await proxied.post("/em/v1/events", json=EVENT, headers=headers)).json()["accepted"] == 1
    message = await jetstream.get_msg(STREAM, await last_seq(jetstream))
    assert "secret" not in f"{message.headers}{message.data!r}"


@pytest.mark.parametrize(
    ("host", "path"),
    [
        ("events", "/metrics"),
        ("events", "/health/ready"),
        ("analytics", "/metrics"),
        ("www", "/em/metrics"),
        ("www", "/em/health/ready"),
    ],
)
async def test_metrics_and_health_are_not_for_visitors(proxied: httpx.AsyncClient, host: str, path: str) -> None:
    proxied.headers["Host"] = f"{host}.example.com"
    assert (await proxied.get(path)).status_code == 404
