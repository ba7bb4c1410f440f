"""Events per second of one core through the contract: decoding alone, with columns, one by one, and in the gateway.

`python -m tests.benchmarks decode [EVENTS]` counts the processor time of this thread, so neighbours disturb it little.
"""

import gc
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from statistics import median

from eventmill.contracts.decode import AppRules, DecodeContext, EnvelopeContext, decode_event
from eventmill.envelopes.decoding import DecodedEnvelope, decode_envelope
from eventmill.envelopes.events_table import events_table
from eventmill.envelopes.source import Envelope
from eventmill.synthetic.flow import Plan, Shares, lines
from ingest_service.gateway.intake import RequestFacts, take_in

ENVELOPE = 500
REPEATS = 7
NOW = datetime.now(UTC)
HISTORY_START = datetime(2025, 1, 1, tzinfo=UTC)
SHOP = AppRules("shop")
HEADERS = {
    "Em-Received-At": NOW.isoformat(),
    "Em-Context": '{"source":"web","os":"iOS","browser":"Mobile Safari","device_type":"mobile","is_bot":false}',
}


def batches(events: int) -> list[list[bytes]]:
    """Synthetic web and mobile events, none of them late, repeated or malformed."""
    plan = Plan("shop", events, NOW, seed=1, shares=Shares(0, 0, 0))
    flow = [line.raw for line in lines(plan)]
    return [flow[first : first + ENVELOPE] for first in range(0, events, ENVELOPE)]


def decode(envelopes: list[Envelope]) -> list[DecodedEnvelope]:
    """What the writer does per envelope."""
    return [decode_envelope(envelope, SHOP, HISTORY_START) for envelope in envelopes]


def one_by_one(requests: list[list[bytes]]) -> None:
    """The law alone."""
    context = DecodeContext(SHOP, EnvelopeContext("shop", NOW), HISTORY_START)
    for request in requests:
        for line in request:
            decode_event(line, context)


def judge(requests: list[list[bytes]]) -> None:
    """What the gateway does per request."""
    facts = RequestFacts({"shop": SHOP}, None, NOW, False, HISTORY_START, {"source": "web"}, lambda _: "daily-x")
    for request in requests:
        take_in(request, facts)


def rate(work: Callable[[], object], events: int) -> float:
    """Events per second of processor time, the median of the repeats."""
    seconds = []
    for _ in range(REPEATS):
        gc.collect()
        started_at = time.thread_time()
        work()
        seconds.append(time.thread_time() - started_at)
    return events / median(seconds)


def main() -> None:
    """Measure and print."""
    events = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    requests = batches(events)
    envelopes = [
        Envelope(number, "events.shop", HEADERS, b"\n".join(request), NOW) for number, request in enumerate(requests, 1)
    ]
    size = sum(len(envelope.body) for envelope in envelopes) / events
    print(f"{events:,} events of {size:.0f} bytes, {ENVELOPE} an envelope")
    for name, work in {
        "decode_event, one by one": lambda: one_by_one(requests),
        "writer: decode": lambda: decode(envelopes),
        "writer: decode and columns": lambda: events_table(decode(envelopes)),
        "gateway: judge": lambda: judge(requests),
    }.items():
        print(f"{name:32} {rate(work, events):>12,.0f} events/s")


if __name__ == "__main__":
    main()
