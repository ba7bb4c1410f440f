"""Clients that send more than a gateway can take, and come again at once when it says so.

`python -m tests.benchmarks.ingest.flood_client PORT KEY SECONDS LEDGER SINGLES BATCHES SLOW RUN` writes the numbers of
the requests that were answered with 200, with how many events each had, and prints what the answers were.
"""

import asyncio
import json
import re
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import uvloop

BATCH_EVENTS = 850  # of 400 bytes: 340 KB
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
PIECES, PIECE_SECONDS = 20, 0.4
FILLING = (
    b'","event_type":"page_view","user_id":"user-1","page_url":"https://shop.example/a","properties":{"text":"%s"}}'
)
LINE_END = FILLING % (b"x" * 260)


@dataclass
class Flood:
    """What was sent and what came back. `events` counts those of all requests that left whole."""

    port: int
    key: str
    run: str
    deadline: float
    numbers: "count[int]" = field(default_factory=count)
    answers: Counter[str] = field(default_factory=Counter)
    acknowledged: dict[int, int] = field(default_factory=dict)
    events: int = 0

    async def client(self, events: int, *, is_slow: bool = False) -> None:
        """Send request after request, over new connections where the old one breaks, until the time is over."""
        while time.monotonic() < self.deadline:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                self.answers["refused connection"] += 1
                await asyncio.sleep(0.1)
                continue
            try:
                while time.monotonic() < self.deadline:
                    await self._ask(reader, writer, events, is_slow=is_slow)
            except (OSError, asyncio.IncompleteReadError):
                self.answers["broken connection"] += 1
            finally:
                writer.close()

    async def _ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, events: int, *, is_slow: bool
    ) -> None:
        number = next(self.numbers)
        body = b"\n".join(
            [b'{"event_id":"%s-%08x-%04x' % (self.run.encode(), number, n) + LINE_END for n in range(events)]
        )
        head = (
            f"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.key}\r\n"
            f"Content-Type: application/x-ndjson\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode())
        await self._send(writer, body, is_slow=is_slow)
        self.events += events
        answer = await reader.readuntil(b"\r\n\r\n")
        length = LENGTH.search(answer)
        await reader.readexactly(int(length[1]) if length else 0)
        self._note(answer, number, events)

    async def _send(self, writer: asyncio.StreamWriter, body: bytes, *, is_slow: bool) -> None:
        if not is_slow:
            writer.write(body)
            await writer.drain()
            return
        size = len(body) // PIECES + 1
        for start in range(0, len(body), size):
            writer.write(body[start : start + size])
            await writer.drain()
            await asyncio.sleep(PIECE_SECONDS)

    def _note(self, answer: bytes, number: int, events: int) -> None:
        status = answer[9:12].decode("ascii")
        if status == "200":
            self.acknowledged[number] = events
        elif b"\r\nretry-after:" not in answer.lower():
            status += " without Retry-After"
        self.answers[status] += 1


async def flood(one: Flood, singles: int, batches: int, slow: int) -> None:
    """All clients until the flood's deadline."""
    clients = [one.client(1) for _ in range(singles)]
    clients += [one.client(BATCH_EVENTS) for _ in range(batches)]
    clients += [one.client(BATCH_EVENTS, is_slow=True) for _ in range(slow)]
    await asyncio.gather(*clients)


def main() -> None:
    """Send and print."""
    port, key, seconds, ledger, singles, batches, slow, run = sys.argv[1:]
    one = Flood(int(port), key, run, time.monotonic() + float(seconds))
    uvloop.run(flood(one, int(singles), int(batches), int(slow)))
    Path(ledger).write_text("\n".join(f"{number:x} {events}" for number, events in one.acknowledged.items()))
    print(json.dumps({"answers": one.answers, "events": one.events, "acknowledged": sum(one.acknowledged.values())}))


if __name__ == "__main__":
    main()
