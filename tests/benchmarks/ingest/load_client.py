"""What load.lua does, without wrk: keep-alive connections over raw sockets, in a process of its own."""

import asyncio
import json
import re
import statistics
import sys
import time
from pathlib import Path
from typing import cast

import uvloop

ANSWER_ID = re.compile(rb'"event_id":"[^-"]+-([0-9a-f]+)-[0-9a-f]+"')
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class Requests:
    """The requests of a run and what became of them."""

    def __init__(self, run: str, size: int, tails: list[bytes], head: bytes) -> None:
        self._run, self._size, self._tails, self._head = run.encode(), size, tails, head
        self._number = 0
        self._accepted = b'"accepted":%d,' % size
        self.answered: list[bytes] = []
        self.seconds: list[float] = []
        self.bad = self.broken = 0
        self.deadline = 0.0

    def next(self) -> bytes:
        """The next request."""
        first, prefix, tails = self._number * self._size, b"%s-%08x" % (self._run, self._number), self._tails
        lines = [
            b'{"event_id":"%s-%04x"%s' % (prefix, index, tails[(first + index) % len(tails)])
            for index in range(self._size)
        ]
        self._number += 1
        content = b"\n".join(lines)
        return b"%sContent-Length: %d\r\n\r\n%s" % (self._head, len(content), content)

    def note(self, head: bytes, content: bytes, seconds: float) -> None:
        """Enter an answer."""
        found = ANSWER_ID.search(content)
        if found and head.startswith(b"HTTP/1.1 200") and self._accepted in content:
            self.answered.append(found[1])
            self.seconds.append(seconds)
        else:
            self.bad += 1


class Connection(asyncio.Protocol):
    """One keep-alive connection: the next request leaves when the answer is there."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests
        self._received = b""
        self._sent_at = 0.0
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        # uvloop's transports are not of asyncio's class.
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(self._requests.next())

    def data_received(self, data: bytes) -> None:
        """Take an answer in, which may come in pieces."""
        self._received += data
        head, found, content = self._received.partition(b"\r\n\r\n")
        length = LENGTH.search(head) if found else None
        if length is None or len(content) < int(length[1]):
            return
        now = time.perf_counter()
        self._requests.note(head, content, now - self._sent_at)
        self._received = b""
        if now < self._requests.deadline:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, _error: Exception | None) -> None:
        """Count a connection that did not end by itself."""
        self._requests.broken += time.perf_counter() < self._requests.deadline
        self.closed.set_result(None)


async def send(port: int, connections: int, seconds: float, requests: Requests) -> float:
    """Send until the time is over; the seconds that it took."""
    loop = asyncio.get_running_loop()
    started_at = time.perf_counter()
    requests.deadline = started_at + seconds
    opened = [
        (await loop.create_connection(lambda: Connection(requests), "127.0.0.1", port))[1] for _ in range(connections)
    ]
    await asyncio.gather(*(connection.closed for connection in opened))
    return time.perf_counter() - started_at


def main() -> None:
    """Send and print, as load.lua does."""
    port, connections, seconds, run, size, tails, ledger, head = sys.argv[1:]
    requests = Requests(run, int(size), Path(tails).read_bytes().split(b"\n"), Path(head).read_bytes())
    took = uvloop.run(send(int(port), int(connections), float(seconds), requests))
    Path(ledger).write_bytes(b"\n".join(requests.answered))
    cuts = statistics.quantiles(requests.seconds, n=100)
    counts = {"good": len(requests.answered), "bad": requests.bad, "broken": requests.broken, "seconds": took}
    print(json.dumps(counts | {"p50_ms": cuts[49] * 1e3, "p99_ms": cuts[98] * 1e3}))


if __name__ == "__main__":
    main()
