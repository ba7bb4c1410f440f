"""Bounds on the head of a request, held against a real socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from eventmill.embedded.ports import free_ports
from eventmill.http import connection as module
from eventmill.http.serving import build_server

Open = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def answer(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        for kind in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{kind}.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def serving() -> AsyncIterator[Open]:
    (port,) = free_ports(1)
    server = build_server(answer, "127.0.0.1", port)
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - it has no event for it
        await asyncio.sleep(0.01)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    yield reader, writer
    writer.close()
    server.stop()
    await task


@pytest.fixture
async def opened() -> AsyncIterator[Open]:
    async with serving() as connection:
        yield connection


async def status(reader: asyncio.StreamReader) -> int:
    async with asyncio.timeout(5):
        line = await reader.readline()
        length = 0
        while (header := await reader.readline()).strip():
            name, _, value = header.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        await reader.readexactly(length)
    return int(line.split()[1])


async def test_a_head_in_pieces_is_answered(opened: Open) -> None:
    reader, writer = opened
    for piece in (b"GET / HT", b"TP/1.1\r\nHost: x", b"\r\n\r\n"):
        writer.write(piece)
        await asyncio.sleep(0.02)
    assert await status(reader) == 200


async def test_a_head_that_is_too_long_is_refused_before_it_ends(opened: Open) -> None:
    reader, writer = opened
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: ")
    writer.write(b"a" * (module.MAX_HEAD_BYTES + 1))
    assert await status(reader) == 431
    assert await reader.read() == b""


async def test_a_long_body_is_no_head(opened: Open) -> None:
    reader, writer = opened
    body = b"a" * (3 * module.MAX_HEAD_BYTES)
    writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    assert await status(reader) == 200
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert await status(reader) == 200


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\n"])
async def test_a_connection_without_a_whole_head_ends(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEAD_SECONDS", 0.2)
    async with serving() as (reader, writer):
        writer.write(sent)
        async with asyncio.timeout(5):
            assert await reader.read() == b""


async def test_a_connection_may_rest_between_two_requests(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = opened
    monkeypatch.setattr(module, "HEAD_SECONDS", 0.2)
    for _ in range(2):
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await status(reader) == 200
        await asyncio.sleep(0.4)
