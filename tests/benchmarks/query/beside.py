"""Taking events in beside questions that are as heavy as they can be asked."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count

import httpx

from tests.benchmarks.ingest.events import tails
from tests.benchmarks.ingest.gateway_run import OURS, gateway
from tests.benchmarks.ingest.results import Figure, Outcome, Side
from tests.benchmarks.ingest.room import VoidRunError
from tests.benchmarks.query.scale import Scale
from tests.benchmarks.query.service import Service

# Usual load: many clients that send an event now and then, far below what the gateway can take.
PAUSE_SECONDS = 0.02
LONGEST_ANSWER_SECONDS = 60
# Bombs have begun by then, and what they leave behind has ended.
SETTLE_SECONDS = 1.0
# What a bomb may come to: an answer, a queue that is full, too many requests, or its limit of time.
_ENDS = frozenset({200, 429, 503, 504})
_FIGURE = Figure("taking events in, p99 beside query bombs vs alone", 2, 1.5, is_cost=True)


def measure(service: Service, scale: Scale) -> list[Outcome]:
    """The gateway's 99th percentile beside heavy questions over the one without them, in turns."""
    alone, beside, numbers = [], [], count()
    ended: Counter[str] = Counter()
    with gateway(service.at.site, OURS):
        for _ in range(scale.turns):
            alone.append(_p99(service, scale, numbers))
            with _bombs(service, scale.clients, ended):
                beside.append(_p99(service, scale, numbers))
    told = ", ".join(f"{ended[status]} {status}" for status in sorted(ended))
    ratios = [mine / other for mine, other in zip(beside, alone, strict=True)]
    sides = [
        Side(f"beside {scale.clients} clients' bombs (answers: {told}), p99", "ms", beside),
        Side("alone, p99", "ms", alone),
    ]
    return [Outcome(_FIGURE, ratios, sides)]


def _p99(service: Service, scale: Scale, numbers: Iterator[int]) -> float:
    seconds = 2 * scale.seconds
    wanted = round(scale.clients * (seconds + 1) / PAUSE_SECONDS)
    requests = [_request(service, next(numbers), tail) for tail in tails(datetime.now(UTC), wanted)]
    port = service.at.settings.ingest_port
    answers = service.load(requests, scale.clients, seconds, pause=PAUSE_SECONDS, port=port)
    if answers.sent > len(requests):
        raise VoidRunError(f"{answers.sent} requests of {len(requests)} events")
    return answers.p99


def _request(service: Service, number: int, tail: bytes) -> str:
    body = f'{{"event_id":"beside-{number}"{tail.decode()}'
    head = f"Host: 127.0.0.1\r\nAuthorization: Bearer {service.at.site.write_key}\r\nContent-Type: application/json\r\n"
    return f"POST /v1/events HTTP/1.1\r\n{head}Content-Length: {len(body.encode())}\r\n\r\n{body}"


@contextmanager
def _bombs(service: Service, clients: int, ended: Counter[str]) -> Iterator[None]:
    """Funnels of many steps over all days, asked by so many clients again and again; who still waits then leaves."""
    stop, failed = threading.Event(), []

    def run() -> None:
        try:
            asyncio.run(_ask_until(service, clients, ended, stop))
        except Exception as error:  # noqa: BLE001 - told below, in the thread that measures
            failed.append(error)

    thread = threading.Thread(target=run, name="bombs")
    thread.start()
    time.sleep(SETTLE_SECONDS)
    try:
        yield
    finally:
        stop.set()
        thread.join()
    if failed:
        raise VoidRunError(f"the bombs: {failed[0]!r}")
    time.sleep(SETTLE_SECONDS)


async def _ask_until(service: Service, clients: int, ended: Counter[str], stop: threading.Event) -> None:
    at, numbers = service.at, count()
    headers = {"Authorization": f"Bearer {at.keys[at.tenant.app_id]}"}

    async def ask(client: httpx.AsyncClient) -> None:
        while True:
            answer = await client.post("/api/funnels/query", json=_bomb(service, next(numbers)))
            ended[str(answer.status_code)] += 1
            if answer.status_code not in _ENDS:
                raise VoidRunError(f"a bomb was answered {answer.status_code}: {answer.text[:300]}")
            # As long as a client that was refused waits at least.
            await asyncio.sleep(PAUSE_SECONDS)

    async with httpx.AsyncClient(base_url=service.url, headers=headers, timeout=LONGEST_ANSWER_SECONDS) as client:
        tasks = [asyncio.create_task(ask(client)) for _ in range(clients)]
        stopped = asyncio.create_task(asyncio.to_thread(stop.wait))
        await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            ended["no answer yet"] += task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome


def _bomb(service: Service, number: int) -> dict[str, object]:
    at = service.at
    # Each is a question of its own: nobody joins another's answer.
    start = at.now - timedelta(days=90, seconds=number)
    steps = [{"event_type": ("page_view", "click")[step % 2]} for step in range(10)]
    return {"app_id": at.tenant.app_id, "steps": steps, "from": start.isoformat(), "to": at.now.isoformat()}
