"""The table of results, the machine that it holds for, and the section of docs/benchmarks.md that keeps both."""

import os
import platform
import subprocess
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil

from eventmill.embedded import binaries
from tests.benchmarks.ingest import load
from tests.benchmarks.ingest.results import HEADINGS, Outcome
from tests.benchmarks.ingest.scale import Scale

PAGE = Path(__file__).resolve().parents[3] / "docs" / "benchmarks.md"
BEGIN, END = "<!-- ingest: written by the benchmark -->", "<!-- ingest: end -->"


def conditions(scale: Scale) -> str:
    """Machine, versions and sizes, as Markdown."""
    load_average = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    packages = ", ".join(f"{name} {version(name)}" for name in ("nats-py", "psycopg", "pyarrow", "uvicorn", "uvloop"))
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {machine()}, {_nats()}, PostgreSQL {binaries.POSTGRES_MAJOR}, {packages}, "
        f"{load.tool()}. Load average before: {load_average}. {scale.envelope_events:,} events in envelopes, "
        f"{scale.worker_events:,} for the plain worker, {scale.message_events:,} single messages, "
        f"{scale.load_seconds:g} s of load after {scale.load_warm_up_seconds:g} s of warm-up, "
        f"{scale.commits:,} commits."
    )


def machine() -> str:
    """Processor, memory, system and interpreter."""
    return (
        f"{_cpu()}, {os.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB,"
        f" {platform.system()} {platform.release()}, Python {platform.python_version()}"
    )


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _nats() -> str:
    command = [str(binaries.nats_server()), "--version"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip().replace(": v", " ")


def table(outcomes: Iterable[Outcome]) -> str:
    """Markdown."""
    return _table([outcome.cells() for outcome in outcomes])


def _table(rows: Iterable[Sequence[str]]) -> str:
    lines = [HEADINGS, ["---"] * len(HEADINGS), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def write(
    outcomes: Iterable[Outcome], described: str, page: Path = PAGE, marks: tuple[str, str] = (BEGIN, END)
) -> None:
    """Put the results into the page's section; figures that were not measured now keep their rows.

    Raises ValueError where the page has no such section.
    """
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(marks[0])
    old, end, after = rest.partition(marks[1])
    if not begin or not end:
        msg = f"{page.name} lacks the marks {marks[0]} and {marks[1]}"
        raise ValueError(msg)
    rows = {cells[0]: cells for cells in _rows_of(old)}
    rows |= {outcome.figure.title: outcome.cells() for outcome in outcomes}
    section = f"{begin}\n{_table(rows.values())}\n\nMeasured last: {described}\n{end}"
    page.write_text(before + section + after, encoding="utf-8")


def _rows_of(section: str) -> list[list[str]]:
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [line.strip("| ").split(" | ") for line in lines[2:]]
