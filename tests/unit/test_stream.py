"""The first connection to the broker fails in time and says why; later ones are tried for ever."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from eventmill.errors import NotReadyError
from eventmill.settings import Settings
from eventmill.stream import connect

INFO = b'INFO {"server_id":"x","version":"2.15.0","proto":1,"max_payload":1048576,"headers":true}\r\n'
# Only a connection that would never be given up takes so long.
PATIENCE_SECONDS = 10


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def settings_for(port: int) -> Settings:
    return Settings(nats_url=f"nats://127.0.0.1:{port}")


@asynccontextmanager
async def broker(port: int, *, answer: bytes = b"PONG\r\n") -> AsyncIterator[None]:
    """As much of a broker as a connection needs: it greets, and answers each ping."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        writer.write(INFO)
        while line := await reader.readline():
            if line.startswith(b"PING"):
                writer.write(answer)

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()
        for writer in writers:
            writer.close()


@pytest.mark.parametrize("options", [{}, {"allow_reconnect": False}])
async def test_without_a_broker_the_first_connection_fails(options: dict[str, bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(NotReadyError, match="NATS does not answer: "):
            await connect(settings_for(free_port()), "test", **options)


async def test_a_broker_that_refuses_the_key_is_told_apart() -> None:
    port = free_port()
    async with broker(port, answer=b"-ERR 'Authorization Violation'\r\n"), asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(NotReadyError, match="NATS refuses the key"):
            await connect(settings_for(port), "test")


async def test_a_connection_that_once_stood_comes_back_after_more_failures_than_the_first_may_have() -> None:
    port, failures = free_port(), 0
    has_failed_often, is_back = asyncio.Event(), asyncio.Event()

    async def count(_: Exception) -> None:
        nonlocal failures
        failures += 1
        if failures == 5:
            has_failed_often.set()

    async def note_return() -> None:
        is_back.set()

    async with asyncio.timeout(PATIENCE_SECONDS):
        async with broker(port):
            client = await connect(settings_for(port), "test", error_cb=count, reconnected_cb=note_return)
        await has_failed_often.wait()
        async with broker(port):
            await is_back.wait()
            await client.close()
