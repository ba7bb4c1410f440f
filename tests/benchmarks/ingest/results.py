"""Figures: what they must reach, what came out of the repeats, and the table of both."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Figure:
    """A promised ratio. `is_cost` ones must not exceed their bound, the others must reach it."""

    title: str
    must: float
    aim: float
    unit: str = "×"
    is_cost: bool = False

    def wanted(self, bound: float) -> str:
        """A bound with its direction and unit."""
        return f"{'≤' if self.is_cost else '≥'} {self.format(bound)}"

    def format(self, value: float) -> str:
        """A value with its unit."""
        digits = 1 if self.unit == "%" or abs(value) >= 10 else 2
        return f"{value:.{digits}f} {self.unit}".replace(" ×", "×")

    def grade(self, value: float) -> str:
        """What a value reaches."""
        return "aim" if self._holds(value, self.aim) else "must" if self._holds(value, self.must) else "missed"

    def _holds(self, value: float, bound: float) -> bool:
        return value <= bound if self.is_cost else value >= bound


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison: what it is, and its value in each repeat."""

    name: str
    unit: str
    values: Sequence[float]

    def __str__(self) -> str:
        return f"{self.name}: {spread(self.values)} {self.unit}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A figure measured: its value in each repeat, and the sides that it compares."""

    figure: Figure
    values: Sequence[float]
    sides: Sequence[Side]

    @property
    def median(self) -> float:
        """Median of the repeats."""
        return statistics.median(self.values)

    def cells(self) -> list[str]:
        """The row of the table."""
        figure = self.figure
        return [
            figure.title,
            figure.wanted(figure.must),
            figure.wanted(figure.aim),
            f"**{figure.format(self.median)}** ({figure.format(min(self.values))} – {figure.format(max(self.values))})",
            figure.grade(self.median),
            f"{len(self.values)}, {datetime.now(UTC):%Y-%m-%d}",
            "; ".join(str(side) for side in self.sides),
        ]


HEADINGS = ["figure", "must reach", "aim", "measured: median (min – max)", "reached", "repeats, date", "both sides"]


def compare(figure: Figure, ours: Side, theirs: Side) -> Outcome:
    """The outcome whose value is ours over theirs, repeat by repeat."""
    ratios = [mine / other for mine, other in zip(ours.values, theirs.values, strict=True)]
    return Outcome(figure, ratios, [ours, theirs])


def plain(value: float) -> str:
    """A number as people read it."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}"


def spread(values: Sequence[float]) -> str:
    """Median, minimum and maximum."""
    return f"{plain(statistics.median(values))} ({plain(min(values))} – {plain(max(values))})"
