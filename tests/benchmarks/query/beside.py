"""Taking events in beside questions that are as heavy as they can be asked."""

import json
import sys
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count

from tests.benchmarks.ingest.events import tails
from tests.benchmarks.ingest.gateway_run import OURS, gateway
from tests.benchmarks.ingest.results import Figure, Outcome, Side
from tests.benchmarks.ingest.room import VoidRunError
from tests.benchmarks.query.scale import Scale
from tests.benchmarks.query.service import Service

# Usual load: many clients that send an event now and then, far below what the gateway can take.
PAUSE_SECONDS = 0.02
LONGEST_ANSWER_SECONDS = 60
# What a bomb may come to: an answer, a queue that is full, too many requests, or its limit of time.
_ENDS = frozenset({200, 429, 503, 504})
_FIGURE = Figure("taking events in, p99 beside query bombs vs alone", 2, 1.5, is_cost=True)


def measure(service: Service, scale: Scale) -> list[Outcome]:
    """The gateway's 99th percentile beside heavy questions over the one without them, in turns."""
    alone, beside, numbers = [], [], count()
    ended: Counter[int] = Counter()
    with gateway(service.at.site, OURS):
        for _ in range(scale.turns):
            alone.append(_p99(service, scale, numbers))
            with _bombs(service, scale.clients, ended):
                beside.append(_p99(service, scale, numbers))
    if not ended or set(ended) - _ENDS:
        raise VoidRunError(f"bombs ended with {dict(ended)}")
    told = ", ".join(f"{ended[status]} answered {status}" for status in sorted(ended))
    ratios = [mine / other for mine, other in zip(beside, alone, strict=True)]
    sides = [
        Side(f"beside {scale.clients} clients' bombs ({told}), p99", "ms", beside),
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
def _bombs(service: Service, clients: int, ended: Counter[int]) -> Iterator[None]:
    """Funnels of many steps over all days, asked by so many clients again and again until the block ends."""
    stop, lock, numbers = threading.Event(), threading.Lock(), count()

    def ask() -> None:
        while not stop.is_set():
            status = _status(service, next(numbers))
            with lock:
                ended[status] += 1

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _status(service: Service, number: int) -> int:
    at = service.at
    # Each is a question of its own: nobody joins another's answer.
    start = at.now - timedelta(days=90, seconds=number)
    steps = [{"event_type": ("page_view", "click")[step % 2]} for step in range(10)]
    asked = {"app_id": at.tenant.app_id, "steps": steps, "from": start.isoformat(), "to": at.now.isoformat()}
    headers = {"Authorization": f"Bearer {at.keys[at.tenant.app_id]}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{service.url}/api/funnels/query", json.dumps(asked).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=LONGEST_ANSWER_SECONDS) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        if error.code not in _ENDS:
            print(error.read().decode()[:500], file=sys.stderr)
        return error.code
