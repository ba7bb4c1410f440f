"""The promised times of questions: `make bench NAME=query`.

`python -m tests.benchmarks query [--only FIGURE …] [--repeats N] [--quick] [--write]`. Questions are asked in turns, so
that whatever else the machine does hits all of them; wrong numbers end the benchmark. `--quick` tries everything on
small numbers; `--write` puts the table into docs/benchmarks.md. Live numbers and Flight have services of their own:
`python -m tests.benchmarks.query.live`.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version

from tests.benchmarks.ingest import report
from tests.benchmarks.ingest.results import Outcome
from tests.benchmarks.ingest.room import Room, VoidRunError
from tests.benchmarks.query import lake
from tests.benchmarks.query.scale import FULL, QUICK, Scale
from tests.benchmarks.query.site import QuerySite, open_site

Measure = Callable[[QuerySite, Scale], list[Outcome]]
FIGURES: dict[str, Measure] = {"lake": lake.measure}
MARKS = ("<!-- query: written by the benchmark -->", "<!-- query: end -->")


def main() -> int:
    """Measure, print and perhaps write; 1 where a run is void."""
    parser = argparse.ArgumentParser(prog="query", description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=sorted(FIGURES), default=list(FIGURES))
    parser.add_argument("--repeats", type=int)
    parser.add_argument("--quick", action="store_true", help="small numbers: to see that it works")
    parser.add_argument("--write", action="store_true", help="write the results into docs/benchmarks.md")
    options = parser.parse_args()
    scale = QUICK if options.quick else FULL
    if options.repeats:
        scale = replace(scale, repeats=options.repeats)
    if options.write and (options.quick or scale.repeats < FULL.repeats):
        parser.error(f"--write keeps full numbers of at least {FULL.repeats} repeats only")
    return run(options.only, scale, is_written=options.write)


def run(names: Sequence[str], scale: Scale, *, is_written: bool) -> int:
    """Measure figure by figure on one site; 1 where one is void, which ends the benchmark."""
    described = conditions(scale)
    print(described, flush=True)
    with Room.open() as room, open_site(room, scale) as site:
        for name in names:
            print(f"{name}, {site.events:,} events …", flush=True)
            try:
                found = FIGURES[name](site, scale)
            except VoidRunError as error:
                print(f"{name} is void: {error}", file=sys.stderr)
                return 1
            print(report.table(found), flush=True)
            if is_written:
                report.write(found, described, marks=MARKS)
    return 0


def conditions(scale: Scale) -> str:
    """Machine, versions and sizes, as Markdown."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("duckdb", "deltalake", "psycopg", "pyarrow"))
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {report.machine()}, {packages}. About {scale.events:,} events of"
        f" {scale.days} days and three apps. Load average before: {load}."
    )


if __name__ == "__main__":
    sys.exit(main())
