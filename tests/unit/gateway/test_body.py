"""A request's body under its caps."""

import gzip
import zlib
from typing import Any

import pytest
import zstandard

from eventmill.contracts.limits import MAX_REQUEST_BYTES
from ingest_service.gateway.body import decompress, read_body
from ingest_service.gateway.problems import Problem

LINE = b'{"a":1}'


def receiving(body: bytes, size: int = 1_000) -> Any:
    """What an ASGI server hands out for a body that comes in pieces."""
    pieces = [body[start : start + size] for start in range(0, len(body), size)] or [b""]

    async def receive() -> dict[str, Any]:
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    return receive


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("", LINE),
        ("identity", LINE),
        ("gzip", gzip.compress(LINE, mtime=0)),
        ("GZIP", gzip.compress(LINE[:3], mtime=0) + gzip.compress(LINE[3:], mtime=0)),
        ("zstd", zstandard.compress(LINE)),
        ("zstd", zstandard.compress(LINE[:3]) + zstandard.compress(LINE[3:])),
    ],
)
async def test_a_body_is_decompressed_by_its_encoding(encoding: str, body: bytes) -> None:
    held: list[int] = []
    assert decompress(await read_body(receiving(body, 5), held.append), encoding) == LINE
    assert sum(held) == len(body)


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress])
def test_a_body_of_the_limits_size_is_taken_and_one_byte_more_is_not(compress: type) -> None:
    encoding = "gzip" if compress is gzip.compress else "zstd"
    at_limit = b" " * MAX_REQUEST_BYTES
    assert decompress(compress(at_limit), encoding) == at_limit
    with pytest.raises(Problem) as caught:
        decompress(compress(at_limit + b" "), encoding)
    assert caught.value.status == 413


def test_a_bomb_of_many_members_is_stopped() -> None:
    with pytest.raises(Problem) as caught:
        decompress(gzip.compress(b" " * 100_000) * 50, "gzip")
    assert caught.value.status == 413


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(LINE, mtime=0)[:-4]),
        ("gzip", gzip.compress(LINE, mtime=0) + b"tail"),
        ("gzip", zlib.compress(LINE)),
        ("zstd", b"tail"),
    ],
)
def test_a_body_of_another_form_is_refused(encoding: str, body: bytes) -> None:
    with pytest.raises(Problem) as caught:
        decompress(body, encoding)
    assert (caught.value.status, caught.value.field) == (400, "body")


async def test_only_so_much_of_an_endless_body_is_read() -> None:
    read = 0
    held: list[int] = []

    async def endless() -> Any:
        nonlocal read
        read += 100_000
        return {"type": "http.request", "body": b" " * 100_000, "more_body": True}

    with pytest.raises(Problem) as caught:
        await read_body(endless, held.append)
    assert caught.value.status == 413
    assert read < 3_000_000
    assert sum(held) <= MAX_REQUEST_BYTES


async def test_a_body_that_its_client_cut_off_is_not_taken_for_a_shorter_one() -> None:
    held: list[int] = []
    messages = [{"type": "http.request", "body": LINE, "more_body": True}, {"type": "http.disconnect"}]

    async def receive() -> Any:
        return messages.pop(0)

    with pytest.raises(Problem, match="cut off"):
        await read_body(receive, held.append)
