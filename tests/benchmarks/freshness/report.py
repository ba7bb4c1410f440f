"""The figures of a measurement, on the terminal and in docs/benchmarks.md."""

import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

PAGE = Path(__file__).resolve().parents[3] / "docs" / "benchmarks.md"
BEGIN, END = "<!-- freshness: written by the benchmark -->", "<!-- freshness: end -->"
FIRST_TIER = "open hours and days"


@dataclass(frozen=True, slots=True)
class Figures:
    """Latencies of each event in the first tier, lags of the other tiers once a second, and what was counted."""

    circumstances: str
    latencies: list[float]
    lags: dict[str, list[float]]
    acknowledged: int
    counted: int

    @property
    def is_exact(self) -> bool:
        """Whether no event was lost or doubled."""
        return self.acknowledged == self.counted

    def rows(self) -> list[str]:
        """A row of the table for each tier."""
        return [
            f"| {tier} | {self.circumstances} | {_cells(seconds)} |"
            for tier, seconds in {FIRST_TIER: self.latencies, **self.lags}.items()
        ]


def _cells(seconds: Sequence[float]) -> str:
    if len(seconds) < 2:
        return "none seen | | | |"
    cuts = statistics.quantiles(seconds, n=100)
    return (
        " | ".join(f"{value:.1f} s" for value in (cuts[49], cuts[94], cuts[98], max(seconds))) + f" | {len(seconds):,}"
    )


def show(figures: Figures) -> None:
    """Print the rows and whether all events were counted once."""
    print("\n".join(figures.rows()))
    print(f"events: {figures.acknowledged:,} acknowledged, {figures.counted:,} in the mart", flush=True)


def show_ratio(alone: Figures, beside: Figures) -> None:
    """Print how much slower the first tier is beside a backfill; at most twice is the aim."""
    first, second = (statistics.quantiles(one.latencies, n=100)[94] for one in (alone, beside))
    print(f"{FIRST_TIER}, p95 beside a backfill / alone: {second / first:.2f}", flush=True)


def write(measured: Sequence[Figures], rate: int) -> None:
    """Replace the section of docs/benchmarks.md. Raises ValueError where its marks are missing."""
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    counts = "; ".join(
        f"{one.circumstances}: {one.acknowledged:,} events acknowledged, {one.counted:,} in the mart"
        for one in measured
    )
    lines = [
        (
            f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {platform.platform()}, {rate:,} events a second."
            f" {counts}."
        ),
        "",
        "| tier | | p50 | p95 | p99 | max | samples |",
        "|---|---|---|---|---|---|---|",
        *(row for one in measured for row in one.rows()),
    ]
    PAGE.write_text(before + BEGIN + "\n" + "\n".join(lines) + "\n" + END + after, encoding="utf-8")
