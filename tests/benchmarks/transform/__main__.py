"""The promised figures of the rollups, each against its baseline: `make bench transform`.

`python -m tests.benchmarks transform [--only FIGURE …] [--repeats N] [--quick] [--write]`. Both sides of a figure run
by turns in one run, with the same threads and memory; a run whose counts are wrong ends the benchmark. `--quick` tries
everything on small numbers; `--write` puts the table into docs/benchmarks.md.
"""

import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version

from tests.benchmarks.ingest import report
from tests.benchmarks.ingest.options import parse
from tests.benchmarks.ingest.results import Outcome
from tests.benchmarks.ingest.room import Room, VoidRunError
from tests.benchmarks.transform import funnel, growth, hours, queries
from tests.benchmarks.transform.scale import FULL, QUICK, Scale

Measure = Callable[[Room, Scale], list[Outcome]]
FIGURES: dict[str, Measure] = {
    "full": hours.measure_full,
    "open": hours.measure_open,
    "queries": queries.measure,
    "funnel": funnel.measure,
    "history": growth.measure_history,
    "day": growth.measure_day,
}
MARKS = ("<!-- transform: written by the benchmark -->", "<!-- transform: end -->")


def main() -> int:
    """Measure, print and perhaps write; 1 where a run is void."""
    options = parse("transform", __doc__, list(FIGURES), QUICK, FULL)
    return run(options.names, options.scale, is_written=options.is_written)


def run(names: Sequence[str], scale: Scale, *, is_written: bool) -> int:
    """Measure figure by figure; 1 where one is void, which ends the benchmark."""
    described = conditions(scale)
    print(described, flush=True)
    with Room.open() as room:
        for name in names:
            print(f"{name} …", flush=True)
            try:
                found = FIGURES[name](room, scale)
            except VoidRunError as error:
                print(f"{name} is void: {error}", file=sys.stderr)
                return 1
            print(report.table(found), flush=True)
            if is_written:
                report.write(found, described, marks=MARKS)
    return 0


def conditions(scale: Scale) -> str:
    """Machine, versions and limits, as Markdown."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("duckdb", "chdb", "deltalake", "psycopg", "pyarrow"))
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {report.machine()}, {packages}. {scale.threads} threads and {scale.memory}"
        f" for DuckDB and chdb alike. Load average before: {load}."
    )


if __name__ == "__main__":
    sys.exit(main())
