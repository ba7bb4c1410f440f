"""The promised times of questions: `make bench NAME=query`.

`python -m tests.benchmarks query [--only FIGURE …] [--repeats N] [--quick] [--write]`. A lake of 90 days is made, its
rollups are computed, five minutes of events are published, and the services are started as `eventmill up` starts them.
What is compared runs in turns, so that whatever else the machine does hits all of it; a wrong number ends the
benchmark. `--quick` tries everything on small numbers; `--write` puts the table into docs/benchmarks.md.
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version

from tests.benchmarks.ingest import report
from tests.benchmarks.ingest.options import parse
from tests.benchmarks.ingest.results import Outcome
from tests.benchmarks.ingest.room import Room, VoidRunError
from tests.benchmarks.query import beside, dashboard, lake, live, mart_ratio, over_http, transports
from tests.benchmarks.query.scale import FULL, QUICK, Scale
from tests.benchmarks.query.service import Service, serving
from tests.benchmarks.query.site import BUSY, open_site

Measure = Callable[[Service, Scale], list[Outcome]]
# In this order: the live window empties as time goes by.
FIGURES: dict[str, Measure] = {
    "live": over_http.measure_live,
    "sockets": transports.measure_sockets,
    "rollups": over_http.measure_rollups,
    "asyncpg": mart_ratio.measure,
    "dashboard": dashboard.measure,
    "flight": transports.measure_flight_rates,
    "beside": beside.measure,
    "lake": lambda service, scale: lake.measure(service.at, scale),
}
MARKS = ("<!-- query: written by the benchmark -->", "<!-- query: end -->")


def main() -> int:
    """Measure, print and perhaps write; 1 where a run is void."""
    options = parse("query", __doc__, list(FIGURES), QUICK, FULL)
    return run(options.names, options.scale, is_written=options.is_written)


def run(names: Sequence[str], scale: Scale, *, is_written: bool) -> int:
    """Measure figure by figure on one site; 1 where one is void, which ends the benchmark."""
    began = time.monotonic()
    described = conditions(scale)
    print(described, flush=True)
    with Room.open() as room, room.broker() as broker, open_site(room, broker, scale) as site:
        asyncio.run(live.fill(site.settings, BUSY, scale.live_minutes, scale.live_rate))
        with serving(site) as service:
            for name in [name for name in FIGURES if name in names]:
                print(f"{name}, after {time.monotonic() - began:.0f} s …", flush=True)
                try:
                    found = FIGURES[name](service, scale)
                except VoidRunError as error:
                    print(f"{name} is void: {error}", file=sys.stderr)
                    return 1
                print(report.table(found), flush=True)
                if is_written:
                    report.write(found, described, marks=MARKS)
    print(f"All of it took {time.monotonic() - began:.0f} s.", flush=True)
    return 0


def conditions(scale: Scale) -> str:
    """Machine, versions and sizes, as Markdown."""
    packages = ", ".join(
        f"{name} {version(name)}" for name in ("duckdb", "deltalake", "psycopg", "asyncpg", "uvicorn", "pyarrow")
    )
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {report.machine()}, {packages}. About {scale.events:,} events of"
        f" {scale.days} days and three apps. Load average before: {load}."
    )


if __name__ == "__main__":
    sys.exit(main())
