"""Chooses the cheapest exact source for a question: the live window, the rollups in Postgres, else the lake."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from eventmill.analysis.filters import Condition, Op
from query_service.query.catalog import METRIC, Grain, Measure, Rollup, cut
from query_service.query.periods import bucket_starts, is_whole
from query_service.query.spec import QuerySpec

Source = Literal["live", "rollup", "lake"]

TOTAL = "total"
LIVE_METRICS = frozenset({"events", "page_views", "unique_visitors", "unique_users", "unique_sessions"})
LIVE_CUTS = frozenset({"page_url", "country", "event_name", "event_type", "source", "device_type"})
# Two fields that are a cut together; its values are JSON lists of theirs.
PAIRS = {"source_event_name": ("source", "event_name")}
COARSEST_FIRST: Sequence[Grain] = ("month", "week", "day", "hour")
FRESHEST_FIRST: Sequence[Grain] = ("day", "month", "week", "hour")
FEW_DAYS = timedelta(days=100)
# The grains that buckets are made of: no month is made of weeks.
_WITHIN: Mapping[str, Sequence[Grain]] = {
    "hour": ("hour",),
    "day": ("day", "hour"),
    "week": ("week", "day", "hour"),
    "month": ("month", "day", "hour"),
}
# Rollups keep so much of a longer text.
LONGEST_VALUE = 500


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of one rollup that answer some of the measures: `starts` are those of its periods, in `grain`."""

    rollup: Rollup
    grain: Grain
    dimension: str
    measures: tuple[Measure, ...]
    starts: tuple[datetime, ...]
    buckets: tuple[datetime, ...]

    @property
    def is_added_up(self) -> bool:
        """Whether a bucket is made of several periods."""
        return len(self.starts) > len(self.buckets)


@dataclass(frozen=True, slots=True)
class Choice:
    """The source of a question and why it is this one; `parts` are what to read of the rollups."""

    source: Source
    why: str
    parts: tuple[Part, ...] = ()


def choose(spec: QuerySpec, *, is_in_window: bool = False) -> Choice:
    """The source for `spec.range`; its comparison is another question. `is_in_window`: the live window holds it all."""
    if spec.window is not None or spec.granularity == "minute":
        refusal = _not_live(spec)
        if refusal is None and is_in_window:
            return Choice("live", "a range inside the live window")
        return Choice("lake", refusal or "the live window does not reach back so far")
    parts = _parts(spec)
    if isinstance(parts, str):
        return Choice("lake", parts)
    return Choice("rollup", ", ".join(f"{part.rollup.name} by {part.grain}" for part in parts), parts)


def _not_live(spec: QuerySpec) -> str | None:
    """Why the live window cannot answer, as words; None where it can."""
    if not LIVE_METRICS.issuperset(spec.metrics):
        return "the live window does not count some of the metrics"
    if spec.granularity not in {None, "minute"}:
        return "the live window counts by minute"
    if len(spec.dimensions) > 1 or not LIVE_CUTS.issuperset(spec.dimensions):
        return "the live window has no such cut"
    if any(one.op != Op.IS or one.field not in LIVE_CUTS for one in spec.filters):
        return "the live window has no such filter"
    return None


def _parts(spec: QuerySpec) -> tuple[Part, ...] | str:
    """What to read of each rollup, or why they do not have it."""
    field = _field(spec)
    if field is None:
        return "more than one cut at once"
    rollups = {measure.rollup.name: measure.rollup for measure in spec.measures}
    parts = []
    for rollup in rollups.values():
        measures = tuple(measure for measure in spec.measures if measure.rollup is rollup)
        part = _part(spec, measures, field)
        if isinstance(part, str):
            return part
        parts.append(part)
    return tuple(parts)


def _field(spec: QuerySpec) -> str | None:
    """The one cut that the question's dimensions and filters are about; None where no cut has them all."""
    fields = {*spec.dimensions, *(one.field for one in spec.filters)}
    if not all(_is_one_value(one) for one in spec.filters) or len(fields) < len(spec.filters):
        return None
    if not fields:
        return TOTAL
    if len(fields) == 1:
        return fields.pop()
    return next((name for name, both in PAIRS.items() if fields == set(both)), None)


def _is_one_value(condition: Condition) -> bool:
    if condition.op == Op.IS_NOT_SET:
        return True
    if condition.op != Op.IS or len(condition.values) != 1:
        return False
    (value,) = condition.values
    return isinstance(value, str) and len(value) < LONGEST_VALUE


def _part(spec: QuerySpec, measures: tuple[Measure, ...], field: str) -> Part | str:
    rollup = measures[0].rollup
    dimension = field if field == TOTAL or field in PAIRS else cut(measures[0], field)
    is_additive = all(measure.kind == "count" for measure in measures)
    refusal = f"{rollup.name} has no cut by {field}"
    for grain in _grains(spec, is_additive=is_additive):
        if not _has(rollup, grain, dimension):
            continue
        if not _is_made_of(spec, grain):
            refusal = "the range is not made of whole periods"
            continue
        starts = bucket_starts(spec.range, grain, spec.tenant.week_start)
        part = Part(rollup, grain, dimension, measures, starts, spec.buckets)
        if is_additive or not part.is_added_up:
            return part
        refusal = "people of several periods are not added up"
    return refusal


def _grains(spec: QuerySpec, *, is_additive: bool) -> Sequence[Grain]:
    """Coarse ones first; what is added up comes from days, which are fresh minutes before their weeks and months."""
    start, end = spec.range.instants
    return FRESHEST_FIRST if is_additive and end - start <= FEW_DAYS else COARSEST_FIRST


def _has(rollup: Rollup, grain: Grain, dimension: str) -> bool:
    if dimension in PAIRS:
        return rollup is METRIC
    return grain in rollup.cuts and (dimension == TOTAL or dimension in rollup.cuts[grain])


def _is_made_of(spec: QuerySpec, grain: Grain) -> bool:
    """Whether the range is whole periods of the grain, and so is each of its buckets."""
    fitting = _WITHIN.get(spec.granularity or "", COARSEST_FIRST)
    return grain in fitting and is_whole(spec.range, grain, spec.tenant.week_start)
