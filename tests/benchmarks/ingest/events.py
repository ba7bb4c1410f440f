"""Events as a web tracker sends them, under ids that can be counted afterwards."""

import json
from datetime import datetime, timedelta
from random import Random

# So many different ones: fewer would compress better in the lake than real events do.
POOL = 10_000
_SPREAD = 0x9E3779B97F4A7C15
_MASK = 2**64 - 1


def event_id(number: int) -> str:
    """A different id for every number below 2^64, as scattered as random UUIDs."""
    bits = number * _SPREAD & _MASK
    return f"{bits >> 32:08x}-{bits >> 16 & 0xFFFF:04x}-7000-8000-{bits & 0xFFFFFFFF:012x}"


def tails(now: datetime, count: int = POOL) -> list[bytes]:
    """Everything of an event's JSON after its id: page views of the last two minutes, some 400 bytes each."""
    random = Random(1)
    return [_tail(random, now) for _ in range(count)]


def _tail(random: Random, now: datetime) -> bytes:
    user = random.randrange(5_000)
    fields = {
        "event_type": "page_view",
        "timestamp": (now - timedelta(seconds=random.random() * 120)).isoformat(),
        "user_id": f"user-{user}" if user % 3 else None,
        "anonymous_id": f"anonymous-{user}",
        "session_id": f"session-{user}-{random.randrange(4)}",
        "page_url": f"https://shop.example/products/{random.randrange(300)}?utm_source=mail&sort=price",
        "page_title": "A product",
        "referrer": "https://search.example/",
        "device_type": random.choice(("desktop", "mobile", "tablet")),
        "os": "iOS",
        "browser": "Safari",
        "country": random.choice(("DE", "FR", "US")),
        "properties": {"price": random.randrange(10_000), "currency": "EUR"},
    }
    return b"," + json.dumps({name: value for name, value in fields.items() if value is not None}).encode()[1:]


class Events:
    """Events by number: the same number is always the same event."""

    def __init__(self, now: datetime) -> None:
        self._tails = tails(now)

    def line(self, number: int) -> bytes:
        """One event's JSON."""
        return b'{"event_id":"%s"%s' % (event_id(number).encode(), self._tails[number % POOL])

    def envelope(self, first: int, count: int) -> bytes:
        """NDJSON of the events from `first` on."""
        return b"\n".join([self.line(number) for number in range(first, first + count)])
