"""A request's body: read and decompressed under a cap."""

import io
import zlib
from typing import Any

import zstandard
from litestar.types import Receive

from eventmill.contracts.limits import MAX_REQUEST_BYTES
from ingest_service.gateway.problems import Problem, too_large

SIZE_RULE = "A request has at most 500 KB (500,000 bytes) after decompression."
EVENTS_RULE = "A request has at most 2,500 events."
# A refusal is read by clients only after they have sent their body: take this much of it in, unkept.
MAX_DRAINED_BYTES = 4 * MAX_REQUEST_BYTES
# What a zstd frame may ask for as memory; level 19 needs 8 MB.
MAX_WINDOW_BYTES = 8 * 1024 * 1024
GZIP_WINDOW_BITS = 31


async def read_body(receive: Receive) -> bytes:
    """The body as it was sent. Raises Problem 413 over the limit, 400 where the client went away."""
    message = await _next(receive)
    if not message.get("more_body", False):
        body = bytes(message.get("body", b""))
        if len(body) > MAX_REQUEST_BYTES:
            raise too_large("The body has more than 500,000 bytes.", SIZE_RULE)
        return body
    return await _read(message, receive)


async def _read(message: Any, receive: Receive) -> bytes:
    kept = bytearray()
    read = 0
    while True:
        chunk = message.get("body", b"")
        read += len(chunk)
        if read <= MAX_REQUEST_BYTES:
            kept += chunk
        if read > MAX_DRAINED_BYTES or not message.get("more_body", False):
            break
        message = await _next(receive)
    if read > MAX_REQUEST_BYTES:
        raise too_large("The body has more than 500,000 bytes.", SIZE_RULE)
    return bytes(kept)


async def _next(receive: Receive) -> Any:
    message = await receive()
    # What came so far is not what the client meant to send.
    if message["type"] == "http.disconnect":
        raise Problem(400, "Bad Request", "The body was cut off.", field="body")
    return message


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
