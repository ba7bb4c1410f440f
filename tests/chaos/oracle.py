"""A client that remembers: what it tried to send, and what it was told is safe. Knows nothing of eventmill's code.

    python -m tests.chaos.oracle URL KEY DIRECTORY [SINGLES] [BATCHES]

Sends until it is told to end, each request again and again with the same bytes until it is answered with 200. In
DIRECTORY it keeps two ledgers, synced to the disk: `attempted` before a request leaves, `acknowledged` once it is
answered. A line is an id and, in the second, the event's status.
"""

import asyncio
import json
import os
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

# Some 500 events a second: after hundreds of cycles all of them are compared still.
PAUSE_SECONDS = 0.08
BATCH_EVENTS = 40
# One event in so many breaks a rule, so that quarantine is filled along the way.
BAD_EVERY = 23


class Ledger:
    """Lines that are on the disk when `write` returns."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    async def write(self, lines: list[str]) -> None:
        """Append and sync."""
        os.write(self._file, "".join(f"{line}\n" for line in lines).encode())
        await asyncio.to_thread(os.fdatasync, self._file)


class Sender:
    """One connection's worth of requests."""

    def __init__(self, name: str, events: int, client: httpx.AsyncClient, attempted: Ledger, acked: Ledger) -> None:
        self._name, self._events, self._client = name, events, client
        self._attempted, self._acknowledged = attempted, acked
        self._number = 0

    async def run(self) -> None:
        """Send for ever."""
        while True:
            events = [self._next() for _ in range(self._events)]
            await self._attempted.write([event["event_id"] for event in events])
            answer = await self._until_answered(json.dumps(events).encode())
            # A quarantined event's answer names its id too; the order is that of the request in any case.
            statuses = [item["status"] for item in answer["events"]]
            await self._acknowledged.write(
                [f"{event['event_id']} {status}" for event, status in zip(events, statuses, strict=True)]
            )
            await asyncio.sleep(PAUSE_SECONDS)

    def _next(self) -> dict[str, Any]:
        self._number += 1
        now = datetime.now(UTC).isoformat()
        return {
            "event_id": f"{self._name}-{self._number}",
            "event_type": "click",
            "user_id": f"user-{self._number % 50}",
            "timestamp": "yesterday" if self._number % BAD_EVERY == 0 else now,
        }

    async def _until_answered(self, body: bytes) -> Any:
        while True:
            try:
                response = await self._client.post("/v1/events", content=body)
            except httpx.TransportError:
                await asyncio.sleep(0.1)
                continue
            if response.status_code == 200:
                return response.json()
            if response.status_code != 503:
                raise SystemExit(f"{response.status_code}: {response.text}")
            await asyncio.sleep(0.1)


async def main(url: str, key: str, directory: Path, singles: int = 4, batches: int = 2) -> None:
    """Run all senders until SIGTERM."""
    attempted, acknowledged = Ledger(directory / "attempted"), Ledger(directory / "acknowledged")
    run = f"{os.getpid()}-{time.time_ns()}"
    sizes = [1] * singles + [BATCH_EVENTS] * batches
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    # A request that a stopped process holds is given up and sent again; both copies may arrive.
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=4) as client:
        senders = [
            Sender(f"{run}-{number}", size, client, attempted, acknowledged) for number, size in enumerate(sizes)
        ]
        tasks = [asyncio.create_task(sender.run()) for sender in senders]
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, os._exit, 0)
        await asyncio.gather(*tasks)


if __name__ == "__main__":
    address, write_key, home, *counts = sys.argv[1:]
    asyncio.run(main(address, write_key, Path(home), *map(int, counts)))
