"""The gateway as it stands on the internet: HTTPS of its own, proxies before it, addresses that nobody keeps."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from nats.js import JetStreamContext

from eventmill.control.apps import IssuedKeys
from eventmill.http.tls import local_context
from eventmill.settings import Settings
from tests.gateway_calls import GOOD, StartGateway, bearer, post, stored, stored_sections, until_answers

pytestmark = pytest.mark.integration

CLIENT = "198.51.100.77"
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "eventmill test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = tmp_path / "certificate.pem", tmp_path / "key.pem"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    return files


@pytest.fixture
def exposed_settings(settings: Settings, certificate: tuple[Path, Path]) -> Settings:
    changes = {
        "tls_cert": certificate[0],
        "tls_key": certificate[1],
        "trusted_proxies": "127.0.0.0/8",
        "country_header": "CF-IPCountry",
        "log_level": "debug",
    }
    return settings.model_copy(update=changes)


def environment(settings: Settings) -> dict[str, str]:
    values = {name.upper(): value for name, value in settings.model_dump(mode="json", exclude_none=True).items()}
    return os.environ | {f"EVENTMILL_{name}": str(value) for name, value in values.items()}


@pytest.fixture
def exposed(exposed_settings: Settings, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """A running gateway process; calling it ends the process and returns its log."""
    log = tmp_path / "gateway.log"
    with log.open("wb") as file:
        command = [sys.executable, "-m", "ingest_service.gateway"]
        process = subprocess.Popen(command, env=environment(exposed_settings), stderr=file)

    def end() -> str:
        process.terminate()
        process.wait(20)
        return log.read_text()

    yield end
    process.kill()
    process.wait()


def trusting_client(settings: Settings) -> httpx.Client:
    context = local_context(settings)
    assert context is not None
    return httpx.Client(base_url=f"https://127.0.0.1:{settings.ingest_port}", verify=context)


def wait_until_ready(client: httpx.Client) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if client.get("/health/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    pytest.fail("the gateway did not become ready")


async def test_an_address_reaches_neither_log_nor_broker(
    exposed: Callable[[], str], exposed_settings: Settings, keys: IssuedKeys, jetstream: JetStreamContext
) -> None:
    forwarded = bearer(keys.write_key) | {"X-Forwarded-For": CLIENT, "User-Agent": CHROME, "CF-IPCountry": "NZ"}
    with trusting_client(exposed_settings) as client:
        wait_until_ready(client)
        assert client.post("/v1/events", json={"page_url": "/"}, headers=forwarded).json()["accepted"] == 1
        assert client.post("/v1/events", json={"torn": 1}, headers=forwarded).status_code == 200
        assert client.post("/v1/events", json=GOOD, headers=forwarded | bearer("wrong")).status_code == 401
    log = exposed()
    assert '"status": 401' in log
    assert CLIENT not in log
    assert keys.write_key not in log
    for seq in (1, 2):
        message = await jetstream.get_msg("EVENTS", seq)
        assert CLIENT not in f"{message.headers} {message.data!r}"
    _, (event,) = await stored(jetstream, 1)
    assert (event.country, event.anonymous_id.startswith("daily-")) == ("NZ", True)


async def test_visitors_behind_one_proxy_are_told_apart(
    start_gateway: StartGateway, settings: Settings, keys: IssuedKeys, jetstream: JetStreamContext
) -> None:
    gateway = await start_gateway(settings.model_copy(update={"trusted_proxies": "127.0.0.1/32"}))
    await until_answers(gateway, "/health/ready")
    for address in (CLIENT, "198.51.100.78", CLIENT):
        view = {"page_url": "/"}
        await post(gateway, keys.write_key, view, **{"User-Agent": CHROME, "X-Forwarded-For": address})
    ids = [(await stored(jetstream, seq))[1][0].anonymous_id for seq in (1, 2, 3)]
    assert (ids[0] == ids[2], ids[0] == ids[1]) == (True, False)


async def test_concurrent_clients_keep_their_own_country_in_one_envelope(
    start_gateway: StartGateway, settings: Settings, keys: IssuedKeys, jetstream: JetStreamContext
) -> None:
    changes = {"trusted_proxies": "127.0.0.1/32", "country_header": "CF-IPCountry"}
    gateway = await start_gateway(settings.model_copy(update=changes))
    await until_answers(gateway, "/health/ready")
    countries = ["DE", "FR", "NZ", "US"] * 5
    posts = [
        post(gateway, keys.write_key, GOOD | {"event_id": str(number)}, **{"CF-IPCountry": country})
        for number, country in enumerate(countries)
    ]
    assert {answer.status_code for answer in await asyncio.gather(*posts)} == {200}
    found: list[str] = []
    for seq in range(1, (await jetstream.stream_info("EVENTS")).state.last_seq + 1):
        found += [event.country for _, events in (await stored_sections(jetstream, seq))[1] for event in events]
    assert sorted(found) == sorted(countries)
