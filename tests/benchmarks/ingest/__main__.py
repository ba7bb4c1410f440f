"""The promised figures of ingestion, each against its baseline: `make bench ingest`.

`python -m tests.benchmarks ingest [--only FIGURE …] [--repeats N] [--quick] [--write]`. Both sides of a figure run by
turns in one run; a run that loses or doubles an event ends the benchmark. `--quick` tries everything on small numbers;
`--write` puts the table into docs/benchmarks.md. All of it takes more than half an hour.
"""

import sys
from collections.abc import Callable, Sequence

from tests.benchmarks.ingest import batches, commits, envelopes, flood, messages, report, requests
from tests.benchmarks.ingest.options import parse
from tests.benchmarks.ingest.results import Outcome
from tests.benchmarks.ingest.room import Room, VoidRunError
from tests.benchmarks.ingest.scale import FULL, QUICK, Scale

Measure = Callable[[Room, Scale], list[Outcome]]
FIGURES: dict[str, Measure] = {
    "envelopes": envelopes.measure,
    "messages": messages.measure,
    "requests": requests.measure,
    "batches": batches.measure,
    "commits": commits.measure,
    "flood": flood.measure,
}


def main() -> int:
    """Measure, print and perhaps write; 1 where a run is void."""
    options = parse("ingest", __doc__, list(FIGURES), QUICK, FULL)
    return run(options.names, options.scale, is_written=options.is_written)


def run(names: Sequence[str], scale: Scale, *, is_written: bool) -> int:
    """Measure figure by figure; 1 where one is void, which ends the benchmark."""
    conditions = report.conditions(scale)
    print(conditions, flush=True)
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
                report.write(found, conditions)
    return 0


if __name__ == "__main__":
    sys.exit(main())
