"""Clients of the query service in a process of their own: keep-alive connections over raw sockets.

Reads one JSON object from standard input (`Asked`) and prints one (`Told`). Each client asks the next request once it
has its answer, after a pause where one is wanted. Requests are made before the clock starts, and of an answer only its
status, its length and its first bytes are looked at: what is measured is the service.
"""

import asyncio
import re
import sys
import time
from itertools import cycle
from typing import cast

import msgspec
import uvloop

LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
OK = b"HTTP/1.1 200"


class Asked(msgspec.Struct):
    """What to send: whole requests, in turns; answers within the first `warm_up` seconds do not count."""

    port: int
    clients: int
    warm_up: float
    seconds: float
    pause: float
    requests: list[str]
    starts_with: str


class Told(msgspec.Struct):
    """Milliseconds of each answer, how many seconds they took, and the processor time of this process in them."""

    milliseconds: list[float]
    seconds: float
    cpu_seconds: float
    wrong: list[str]
    sent: int


class Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, load: "Load") -> None:
        self._load = load
        self._received = b""
        self._sent_at = 0.0
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the first time."""
        # uvloop's transports are not of asyncio's class.
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def _send(self) -> None:
        request = self._load.next()
        self._sent_at = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Take an answer in, which may come in pieces."""
        now = time.perf_counter()
        self._received = received = self._received + data if self._received else data
        end = received.find(b"\r\n\r\n")
        length = LENGTH.search(received, 0, end) if end >= 0 else None
        if length is None or len(received) < end + 4 + int(length[1]):
            return
        self._load.note(received, end + 4, self._sent_at, now)
        self._received = b""
        if now >= self._load.deadline:
            self._transport.close()
        elif self._load.pause:
            asyncio.get_running_loop().call_later(self._load.pause, self._send)
        else:
            self._send()

    def connection_lost(self, _error: Exception | None) -> None:
        """Let the load end."""
        if time.perf_counter() < self._load.deadline:
            self._load.wrong.append("the connection was closed")
        self.closed.set_result(None)


class Load:
    """What is sent and what came back."""

    def __init__(self, asked: Asked) -> None:
        self._requests = cycle([request.encode() for request in asked.requests])
        self._starts_with = asked.starts_with.encode()
        self.pause = asked.pause
        self.milliseconds: list[float] = []
        self.wrong: list[str] = []
        self.sent = 0
        began = time.perf_counter()
        self.counts_from, self.deadline = began + asked.warm_up, began + asked.warm_up + asked.seconds

    def next(self) -> bytes:
        """The next request."""
        self.sent += 1
        return next(self._requests)

    def note(self, received: bytes, body_at: int, sent_at: float, now: float) -> None:
        """Enter an answer."""
        if not received.startswith(OK) or not received.startswith(self._starts_with, body_at):
            self.wrong.append(received[:2000].decode(errors="replace"))
        elif sent_at >= self.counts_from:
            self.milliseconds.append(1000 * (now - sent_at))


async def send(asked: Asked) -> Told:
    """Ask until the time is over."""
    loop = asyncio.get_running_loop()
    load = Load(asked)
    cpu = time.process_time()
    opened = [
        (await loop.create_connection(lambda: Client(load), "127.0.0.1", asked.port))[1] for _ in range(asked.clients)
    ]
    await asyncio.gather(*(client.closed for client in opened))
    took = asked.warm_up + asked.seconds
    return Told(load.milliseconds, took, time.process_time() - cpu, load.wrong[:3], load.sent)


def main() -> None:
    """Ask and tell."""
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Asked)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(send(asked))))


if __name__ == "__main__":
    main()
