"""The gateway as a process of its own: how it starts and how it ends."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import httpx
import psycopg
import pytest

from eventmill.control import apps
from eventmill.settings import Settings

pytestmark = pytest.mark.integration

BODY = b'{"event_type":"a","user_id":"u"}'


def environment(settings: Settings) -> dict[str, str]:
    values = {name.upper(): value for name, value in settings.model_dump(mode="json", exclude_none=True).items()}
    return os.environ | {f"EVENTMILL_{name}": str(value) for name, value in values.items()}


@pytest.fixture
def start(settings: Settings) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    running: list[subprocess.Popen[bytes]] = []

    def begin() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "ingest_service.gateway"]
        running.append(subprocess.Popen(command, env=environment(settings), stderr=subprocess.PIPE))
        return running[-1]

    yield begin
    for process in running:
        process.kill()
        process.communicate()


def wait_until_ready(settings: Settings) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"http://127.0.0.1:{settings.ingest_port}/health/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    pytest.fail("the gateway did not become ready")


def test_a_request_in_flight_is_answered_before_the_gateway_ends(
    start: Callable[[], subprocess.Popen[bytes]], settings: Settings
) -> None:
    with psycopg.connect(settings.database_address) as connection:
        _, keys = apps.create_app(connection, "shop")
    process = start()
    wait_until_ready(settings)
    with socket.create_connection(("127.0.0.1", settings.ingest_port), timeout=10) as client:
        head = f"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {keys.write_key}\r\n"
        client.sendall(f"{head}Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY[:5])
        # The head must have arrived for the request to be in flight.
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        client.sendall(BODY[5:])
        answer = client.recv(4_096)
    assert answer.startswith(b"HTTP/1.1 200")
    assert process.wait(30) == 0


def test_a_taken_port_is_named_with_its_setting(
    start: Callable[[], subprocess.Popen[bytes]], settings: Settings
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", settings.ingest_port))
        other.listen()
        process = start()
        _, log = process.communicate(timeout=30)
    assert process.returncode == 1
    assert b"EVENTMILL_INGEST_PORT" in log
    assert b"Traceback" not in log
