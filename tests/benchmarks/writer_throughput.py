"""Events per second from the broker into the lake: envelopes of 500 through the whole writer, on a real nats-server.

`python -m tests.benchmarks.writer_throughput [EVENTS]` publishes first, then measures the writer alone.
"""

import asyncio
import json
import logging
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import structlog
from prometheus_client import CollectorRegistry

from eventmill import stream
from eventmill.contracts.decode import AppRules
from eventmill.embedded.nats import NatsServer
from eventmill.embedded.ports import free_ports
from eventmill.lake import create_tables
from eventmill.settings import Settings
from ingest_service.writer.assembly import assemble, work
from ingest_service.writer.compactor import Compactor
from ingest_service.writer.rules import RulesCache
from tests.conftest import TEST_STATE

ENVELOPE = 500


def event(number: int, random: Random, now: datetime) -> bytes:
    """A web page view of realistic width."""
    user = random.randrange(5_000)
    fields = {
        "event_id": f"0197e0a0-0000-7000-8000-{number:012d}",
        "event_type": "page_view",
        "timestamp": (now - timedelta(seconds=random.random() * 120)).isoformat(),
        "user_id": f"user-{user}" if user % 3 else None,
        "anonymous_id": f"anonymous-{user}",
        "session_id": f"session-{user}-{number // 100_000}",
        "page_url": f"https://shop.example/products/{random.randrange(300)}?utm_source=mail&sort=price",
        "page_title": "A product",
        "referrer": "https://search.example/",
        "device_type": random.choice(("desktop", "mobile", "tablet")),
        "os": "iOS",
        "browser": "Safari",
        "country": random.choice(("DE", "FR", "US")),
        "properties": {"price": random.randrange(10_000), "currency": "EUR"},
    }
    return json.dumps({name: value for name, value in fields.items() if value is not None}).encode()


async def measure(settings: Settings, events: int) -> float:
    """Seconds from starting the consumer until the last commit."""
    create_tables(settings)
    client = await stream.connect(settings, "bench")
    jetstream = client.jetstream()
    identity = await stream.ensure_stream(jetstream, settings)
    random, now = Random(1), datetime.now(UTC)
    for first in range(0, events, ENVELOPE):
        body = b"\n".join(event(number, random, now) for number in range(first, first + ENVELOPE))
        last = (await stream.publish_envelope(jetstream, "shop", body, {}, budget_seconds=10)).seq
    rules = RulesCache(lambda: {"shop": AppRules("shop")})
    service = assemble(settings, client, identity, rules, CollectorRegistry(), Compactor(settings.home / "lake"))
    started_at, cpu_before = time.perf_counter(), time.process_time()
    working = asyncio.create_task(work(client, rules, service))
    while service.lake.sequence < last:  # noqa: ASYNC110 - a thread moves it
        await asyncio.sleep(0.01)
    seconds = time.perf_counter() - started_at
    print(f"{time.process_time() - cpu_before:.2f} s of processor time")
    service.stopping.set()
    await working
    await client.close()
    return seconds


def main() -> None:
    """Measure and print."""
    events = int(sys.argv[1]) if len(sys.argv) > 1 else 500_000
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with tempfile.TemporaryDirectory(dir=TEST_STATE) as directory:
        port, monitor_port = free_ports(2)
        settings = Settings(home=Path(directory), nats_url=f"nats://127.0.0.1:{port}")
        server = NatsServer(
            settings.home / "nats", settings.home / "nats.log", port, monitor_port, 12 * 1024**3
        ).server()
        server.start()
        try:
            seconds = asyncio.run(measure(settings, events))
        finally:
            server.stop()
    print(f"{events} events in {seconds:.2f} s: {events / seconds:,.0f} events/s")


if __name__ == "__main__":
    main()
