"""A request's body: read and decompressed under a cap."""

import asyncio
import io
import zlib
from collections.abc import Callable
from typing import Any

import zstandard
from litestar.types import Receive

from eventmill.contracts.limits import MAX_REQUEST_BYTES
from ingest_service.gateway.problems import Problem, too_large

SIZE_RULE = "A request has at most 500 KB (500,000 bytes) after decompression."
EVENTS_RULE = "A request has at most 2,500 events."
# A refusal is read by clients only after they have sent their body: take this much of it in, unkept.
MAX_DRAINED_BYTES = 4 * MAX_REQUEST_BYTES
DRAIN_SECONDS = 1.0
# A slow phone needs some seconds for 500 KB; who needs more holds memory for nothing.
BODY_SECONDS = 15.0
# What a zstd frame may ask for as memory; level 19 needs 8 MB.
MAX_WINDOW_BYTES = 8 * 1024 * 1024
GZIP_WINDOW_BITS = 31


async def read_body(receive: Receive, hold: Callable[[int], None]) -> bytes:
    """The body as it was sent; `hold` is told of each piece before it is kept, and may refuse it.

    Raises Problem 413 over the limit, 400 where the client went away, 408 where it takes its time.
    """
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _read(receive, hold)
    except TimeoutError:
        rule = f"A body arrives within {BODY_SECONDS:.0f} s."
        raise Problem(408, "Request Timeout", "The body came too slowly.", field="body", rule=rule) from None


async def _read(receive: Receive, hold: Callable[[int], None]) -> bytes:
    pieces: list[bytes] = []
    read = 0
    has_more = True
    while has_more and read <= MAX_DRAINED_BYTES:
        message: Any = await receive()
        # What came so far is not what the client meant to send.
        if message["type"] == "http.disconnect":
            raise Problem(400, "Bad Request", "The body was cut off.", field="body")
        piece = message.get("body", b"")
        has_more = message.get("more_body", False)
        read += len(piece)
        if read > MAX_REQUEST_BYTES:
            pieces.clear()
        else:
            hold(len(piece))
            pieces.append(piece)
    if read > MAX_REQUEST_BYTES:
        raise too_large("The body has more than 500,000 bytes.", SIZE_RULE)
    return b"".join(pieces)


async def drain_body(receive: Receive) -> None:
    """Read a body without keeping it, no longer than DRAIN_SECONDS and no further than MAX_DRAINED_BYTES."""
    read = 0
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            while read <= MAX_DRAINED_BYTES:
                message: Any = await receive()
                read += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return
    except TimeoutError:
        return


def decompress(body: bytes, encoding: str) -> bytes:
    """The body as it was before Content-Encoding; never more than one byte over the limit is held."""
    match encoding.strip().lower():
        case "" | "identity":
            return body
        case "gzip" | "x-gzip":
            return _capped(_gunzip(body))
        case "zstd":
            return _capped(_unzstd(body))
    rule = "Content-Encoding is identity, gzip or zstd."
    detail = f"Content-Encoding {encoding[:50]!r} is not supported."
    raise Problem(415, "Unsupported Media Type", detail, field="Content-Encoding", rule=rule)


def _capped(body: bytes) -> bytes:
    if len(body) > MAX_REQUEST_BYTES:
        raise too_large("The body decompresses to more than 500,000 bytes.", SIZE_RULE)
    return body


def _gunzip(body: bytes) -> bytes:
    found = bytearray()
    try:
        while body and len(found) <= MAX_REQUEST_BYTES:
            member = zlib.decompressobj(GZIP_WINDOW_BITS)
            found += member.decompress(body, MAX_REQUEST_BYTES + 1 - len(found))
            if not member.eof and len(found) <= MAX_REQUEST_BYTES:
                raise _not_valid("gzip", "it is cut off")
            body = member.unused_data
    except zlib.error as error:
        raise _not_valid("gzip", str(error)) from None
    return bytes(found)


def _unzstd(body: bytes) -> bytes:
    reader = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES).stream_reader(
        io.BytesIO(body), read_across_frames=True
    )
    found = bytearray()
    try:
        while len(found) <= MAX_REQUEST_BYTES and (part := reader.read(MAX_REQUEST_BYTES + 1 - len(found))):
            found += part
    except zstandard.ZstdError as error:
        raise _not_valid("zstd", str(error)) from None
    return bytes(found)


def _not_valid(name: str, why: str) -> Problem:
    rule = "The body decompresses by its Content-Encoding."
    return Problem(400, "Bad Request", f"The body is not valid {name}: {why}.", field="body", rule=rule)
