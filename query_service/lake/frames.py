"""Messages over pipes: a header as JSON and parts of bytes (Arrow), each behind its length."""

import asyncio
import struct
from collections.abc import Sequence
from typing import Any, BinaryIO

import msgspec
import pyarrow as pa

_LENGTH = struct.Struct("<Q")
# Nothing that a worker may send is longer: rows and their width are bounded.
MAX_FRAME = 1 << 30


class Header(msgspec.Struct, frozen=True):
    """What a message is about; `parts` frames follow."""

    kind: str
    job_id: int
    parts: int = 0
    body: Any = None


def encode(kind: str, job_id: int, body: object = None, parts: Sequence[bytes] = ()) -> bytes:
    """A whole message."""
    frames = [msgspec.json.encode(Header(kind, job_id, len(parts), body)), *parts]
    return b"".join(piece for frame in frames for piece in (_LENGTH.pack(len(frame)), frame))


def read(stream: BinaryIO) -> tuple[Header, list[bytes]] | None:
    """The next message; None where the other side has gone."""
    first = _read_frame(stream)
    if first is None:
        return None
    header = msgspec.json.decode(first, type=Header)
    parts = [_read_frame(stream) for _ in range(header.parts)]
    return None if None in parts else (header, [part for part in parts if part is not None])


def _read_frame(stream: BinaryIO) -> bytes | None:
    length = stream.read(_LENGTH.size)
    if len(length) < _LENGTH.size:
        return None
    (size,) = _LENGTH.unpack(length)
    frame = stream.read(size)
    return frame if len(frame) == size else None


async def receive(stream: asyncio.StreamReader) -> tuple[Header, list[bytes]]:
    """As `read`. Raises IncompleteReadError where the other side has gone, ValueError for a frame that is too long."""
    header = msgspec.json.decode(await _receive_frame(stream), type=Header)
    return header, [await _receive_frame(stream) for _ in range(header.parts)]


async def _receive_frame(stream: asyncio.StreamReader) -> bytes:
    (size,) = _LENGTH.unpack(await stream.readexactly(_LENGTH.size))
    if size > MAX_FRAME:
        msg = f"a frame of {size} bytes"
        raise ValueError(msg)
    return await stream.readexactly(size)


def to_bytes(table: pa.Table) -> bytes:
    """A table as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def to_table(content: bytes) -> pa.Table:
    """The table of an Arrow IPC stream."""
    with pa.ipc.open_stream(content) as reader:
        return reader.read_all()
