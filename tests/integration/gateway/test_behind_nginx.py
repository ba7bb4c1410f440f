"""The recipe for nginx, run as it stands but for names, ports and certificates, before a real gateway."""

import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
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
RECIPE = Path(__file__).parents[3] / "deploy" / "nginx" / "eventmill.conf"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}


@dataclass(frozen=True)
class Nginx:
    """Where it listens, and what it wrote down."""

    address: str
    log: Path


@pytest.fixture
def nginx(settings: Settings, new_directory: Callable[[], Path]) -> Iterator[Nginx]:
    """An nginx with our recipe; the server names choose the site."""
    if NGINX is None:
        pytest.skip("nginx is not installed")
    directory = new_directory()
    (port,) = free_ports(1)
    recipe = RECIPE.read_text()
    recipe = recipe.replace("listen 443 ssl", f"listen 127.0.0.1:{port}")
    recipe = re.sub(r"ssl_certificate.*\n", "\n", recipe)
    recipe = recipe.replace("127.0.0.1:8090", f"127.0.0.1:{settings.ingest_port}")
    recipe = recipe.replace("127.0.0.1:8080", f"127.0.0.1:{settings.http_port}")
    recipe = recipe.replace("/var/log/nginx/eventmill.log", str(directory / "access.log"))
    paths = "\n".join(
        f"{name}_temp_path {directory / name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    configuration = directory / "nginx.conf"
    configuration.write_text(
        f"daemon off; pid {directory / 'pid'}; error_log stderr;\n"
        + ("user root;\n" if os.geteuid() == 0 else "")
        + f"events {{}}\nhttp {{\n{paths}\n{recipe}\n}}\n"
    )
    with (directory / "error.log").open("wb") as log:
        process = subprocess.Popen([NGINX, "-c", str(configuration), "-e", "stderr"], stderr=log)
    yield Nginx(f"http://127.0.0.1:{port}", directory / "access.log")
    process.terminate()
    process.wait(30)


@pytest.fixture
async def proxied(start_gateway: StartGateway, settings: Settings, nginx: Nginx) -> AsyncIterator[httpx.AsyncClient]:
    """A client of nginx, whose gateway trusts it."""
    gateway = await start_gateway(settings.model_copy(update={"trusted_proxies": "127.0.0.1/32"}))
    await until_answers(gateway, "/health/ready")
    async with httpx.AsyncClient(base_url=nginx.address, headers={"Host": "events.example.com"}) as client:
        await until_answers(client, "/em.js")
        yield client


async def test_events_pass_and_visitors_are_told_apart_by_the_address_that_nginx_saw(
    proxied: httpx.AsyncClient, keys: IssuedKeys, jetstream: JetStreamContext
) -> None:
    visitors = []
    for address in ("203.0.113.7", "203.0.113.8", "203.0.113.7"):
        headers = bearer(keys.write_key) | BROWSER | {"X-Forwarded-For": address}
        answer = await proxied.post("/v1/events", json={"event_type": "page_view", "page_url": "/"}, headers=headers)
        assert answer.json()["accepted"] == 1
        _, [event] = await stored(jetstream, await last_seq(jetstream))
        assert isinstance(event, StoredEvent)
        visitors.append(event.anonymous_id)
    # nginx adds its own peer, which is trusted here; the address before it is the client's.
    assert visitors[0] == visitors[2] != visitors[1]


async def test_a_sites_cookies_stay_with_the_site(
    proxied: httpx.AsyncClient, keys: IssuedKeys, jetstream: JetStreamContext
) -> None:
    proxied.headers["Host"] = "www.example.com"
    cookies = {"Cookie": "session=secret"}
    event = {"event_type": "page_view", "page_url": "/", "user_id": "u"}
    await proxied.post("/em/v1/events", json=event, headers=bearer(keys.write_key) | cookies)
    message = await jetstream.get_msg(STREAM, await last_seq(jetstream))
    assert "secret" not in f"{message.headers}{message.data!r}"


async def test_the_snippet_and_its_events_are_first_party_below_a_path_of_the_site(
    proxied: httpx.AsyncClient, keys: IssuedKeys
) -> None:
    proxied.headers["Host"] = "www.example.com"
    assert (await proxied.get("/em/em.js")).headers["content-type"].startswith("text/javascript")
    answer = await proxied.post(
        f"/em/v1/events?write_key={keys.write_key}",
        content=b'{"event_type":"page_view","page_url":"/"}',
        headers={"Content-Type": "text/plain"} | BROWSER,
    )
    assert answer.json()["accepted"] == 1


@pytest.mark.parametrize("path", ["/metrics", "/health/ready"])
async def test_metrics_and_health_are_not_for_visitors(proxied: httpx.AsyncClient, path: str) -> None:
    assert (await proxied.get(path)).status_code == 404


async def test_the_log_names_no_key_and_no_address(proxied: httpx.AsyncClient, keys: IssuedKeys, nginx: Nginx) -> None:
    await proxied.post(f"/v1/events?write_key={keys.write_key}", content=b"{}", headers={"Content-Type": "text/plain"})
    log = nginx.log.read_text()
    assert "POST /v1/events" in log
    assert keys.write_key not in log
    assert "127.0.0.1" not in log
