"""Flight beside our JSON and a server that only sends; WebSocket frames, and clients that wait for nothing."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
from pyarrow import flight

from tests.benchmarks.ingest.results import Figure, Outcome, Side
from tests.benchmarks.ingest.room import VoidRunError
from tests.benchmarks.query import live
from tests.benchmarks.query.flight import FlightRates, json_reader, measure_flight
from tests.benchmarks.query.scale import Scale
from tests.benchmarks.query.service import Service
from tests.benchmarks.query.site import BUSY, DAY, IDLE, expect

PUSH_SECONDS = 0.25
_PAGES = (
    "select page_url, date, view_count, unique_visitors, bounce_rate, avg_session_duration"
    " from va_pageview_aggregate where view_count > -{number}"
)
_PAGE_ROWS = 10_000


def measure_flight_rates(service: Service, scale: Scale) -> list[Outcome]:
    """Rows per second of days of pages."""
    key = service.at.keys[service.at.tenant.app_id]
    first = (service.at.now - timedelta(days=scale.days)).date()
    asked = {"start": str(first), "end": str((service.at.now + DAY).date()), "limit": _PAGE_ROWS}
    with httpx.Client(base_url=service.url, headers={"Authorization": f"Bearer {key}"}, timeout=60) as client:
        read_json = json_reader(client, "/api/pages", asked)
        _compare(service, key, client.get("/api/pages", params=asked).raise_for_status().json()["data"])
        found = measure_flight(
            service.flight, key, lambda number: _PAGES.format(number=number + 2), read_json, scale.flight_rounds
        )
    return _flight_outcomes(found)


def _compare(service: Service, key: str, rows: list[dict[str, Any]]) -> None:
    """The latest rows are the same on both ways."""
    options = flight.FlightCallOptions(headers=[(b"authorization", f"Bearer {key}".encode())])
    sql = f"{_PAGES.format(number=1)} order by date desc, view_count desc, page_url limit {len(rows)}"
    with flight.connect(service.flight) as client:
        info = client.get_flight_info(flight.FlightDescriptor.for_command(sql), options)
        found = client.do_get(info.endpoints[0].ticket, options).read_all().to_pylist()
    counts = ("page_url", "view_count", "unique_visitors")
    expected = [(str(row["date"]), *(row[name] for name in counts)) for row in rows]
    expect([(str(row["date"]), *(row[name] for name in counts)) for row in found], expected, "pages through Flight")


def _flight_outcomes(found: FlightRates) -> list[Outcome]:
    def side(name: str, rate: float) -> Side:
        return Side(name, "rows/s", [rate])

    ours = side(f"Flight, {found.rows:,} rows", found.again)
    first, memory = side("Flight, first answer", found.first), side("in memory", found.memory)
    json = side("JSON", found.json)
    return [
        Outcome(Figure("Flight vs our JSON", 15, 30), [found.of_json], [ours, json]),
        Outcome(Figure("Flight, the first answer, vs our JSON", 15, 30), [found.first_of_json], [first, json]),
        Outcome(Figure("Flight vs an in-memory Flight server", 0.5, 0.8), [found.of_memory], [ours, memory]),
    ]


def measure_sockets(service: Service, scale: Scale) -> list[Outcome]:
    """From an event on NATS to the frame that has it; the share of a core that idle clients cost."""
    settings, keys = service.at.settings, service.at.keys
    frames = asyncio.run(
        live.measure_frames(settings, service.url, keys[BUSY], BUSY, events=scale.frames, interval=PUSH_SECONDS)
    )
    idle = asyncio.run(
        live.measure_idle(
            service.url, keys[IDLE], IDLE, service.process, clients=scale.followers, seconds=scale.idle_seconds
        )
    )
    if frames.count != scale.frames:
        raise VoidRunError(f"{frames.count} of {scale.frames} events came in frames")
    title = f"event on NATS to its WebSocket frame, pushed every {1000 * PUSH_SECONDS:.0f} ms, p99"
    return [
        Outcome(
            Figure(title, 400, 300, "ms", is_cost=True),
            [frames.p99],
            [Side(f"{frames.count} events, p50", "ms", [frames.p50])],
        ),
        Outcome(
            Figure(f"{scale.followers} idle WebSocket clients", 10, 5, "%", is_cost=True),
            [100 * idle],
            [Side("of a core", "%", [100 * idle])],
        ),
    ]
