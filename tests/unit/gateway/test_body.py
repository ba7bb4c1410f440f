"""A request's body under its caps."""

import gzip
import zlib
from collections.abc import AsyncIterator

import pytest
import zstandard

from eventmill.contracts.limits import MAX_REQUEST_BYTES
from ingest_service.gateway.body import decompress, read_events
from ingest_service.gateway.problems import Problem

LINE = b'{"a":1}'


async def chunks(body: bytes, size: int = 1_000) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("", LINE),
        ("identity", LINE),
        ("gzip", gzip.compress(LINE)),
        ("GZIP", gzip.compress(LINE[:3]) + gzip.compress(LINE[3:])),
        ("zstd", zstandard.compress(LINE)),
        ("zstd", zstandard.compress(LINE[:3]) + zstandard.compress(LINE[3:])),
    ],
)
async def test_a_body_is_decompressed_by_its_encoding(encoding: str, body: bytes) -> None:
    assert await read_events(chunks(body, 5), encoding) == [LINE]


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
        ("gzip", gzip.compress(LINE)[:-4]),
        ("gzip", gzip.compress(LINE) + b"tail"),
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

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 100_000
            yield b" " * 100_000

    with pytest.raises(Problem) as caught:
        await read_events(endless(), "")
    assert caught.value.status == 413
    assert read < 3_000_000


async def test_two_thousand_five_hundred_events_are_the_limit() -> None:
    assert len(await read_events(chunks(b"1\n" * 2_500), "")) == 2_500
    with pytest.raises(Problem, match="2,501"):
        await read_events(chunks(b"1\n" * 2_501), "")
