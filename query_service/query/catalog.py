"""What can be asked for by the query path, how each number is computed, and where its rollups lie.

dbt's manifest says what every metric means, its periods and its cuts (GET /api/metrics); here is how it is computed. A
test holds the two together.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from eventmill.analysis.filters import PROPERTIES, TEXT_FIELDS

Grain = Literal["hour", "day", "week", "month"]
Kind = Literal["count", "distinct"]

ACQUISITION = ("channel", "referrer_host", "utm_source", "utm_medium", "utm_campaign")
DEVICE = ("country", "device_type", "os", "browser")
HOUR_CUTS = frozenset({"event_type", "event_name", "source", "country", "device_type", "os", "page_url"})
EVENT_CUTS = HOUR_CUTS | {"browser", "app_version", *ACQUISITION}
SESSION_CUTS = frozenset({"entry_page", "exit_page", "source", *ACQUISITION, *DEVICE})
REVENUE_CUTS = frozenset({"channel", "utm_source", "utm_campaign", "country", "source", "event_name"})
GOAL_CUTS = SESSION_CUTS - {"exit_page", "source"}
# Only sessions have these.
SESSION_FIELDS = ("entry_page", "exit_page")
# The same for sessions: a page's bounce rate is that of the sessions that entered on it.
ENTRY_OF = {"page_url": "entry_page"}


@dataclass(frozen=True, slots=True, eq=False)
class Rollup:
    """A table of the schema `rollups`: the grains that it has rows of, and the cuts at each of them.

    `periods` names its rows in rollups.periods; those of `period_grain` say how fresh it is.
    """

    name: str
    periods: str
    cuts: Mapping[Grain, frozenset[str]]
    is_by_entry: bool


METRIC = Rollup(
    "metric", "metric", {"hour": HOUR_CUTS, "day": EVENT_CUTS, "week": EVENT_CUTS, "month": EVENT_CUTS}, False
)
SESSION = Rollup("session_metric", "sessions", {"hour": SESSION_CUTS, "day": SESSION_CUTS}, True)
REVENUE = Rollup("revenue", "sessions", {"hour": REVENUE_CUTS, "day": REVENUE_CUTS}, False)
GOAL = Rollup("goal_metric", "goals", {"day": GOAL_CUTS}, True)


@dataclass(frozen=True, slots=True)
class Measure:
    """A column of a rollup. A `count` may be added up over time and values, a `distinct` count may not.

    `is_of_all`: bots count whatever `include_bots` says. `only_grain`: the number is one of such periods alone.
    """

    name: str
    rollup: Rollup
    column: str
    kind: Kind = "count"
    is_of_all: bool = False
    only_grain: Grain | None = None


@dataclass(frozen=True, slots=True)
class Ratio:
    """One measure divided by another, in percent (rounded to two decimals) or plain; null where nothing divides."""

    name: str
    numerator: str
    denominator: str
    is_percent: bool


def _measures() -> Iterable[Measure]:
    yield Measure("events", METRIC, "events", is_of_all=True)
    yield Measure("page_views", METRIC, "page_views")
    yield Measure("unique_users", METRIC, "users", "distinct")
    yield Measure("unique_visitors", METRIC, "visitors", "distinct")
    yield Measure("unique_sessions", METRIC, "sessions", "distinct")
    yield Measure("dau", METRIC, "visitors", "distinct", only_grain="day")
    yield Measure("wau", METRIC, "visitors", "distinct", only_grain="week")
    yield Measure("mau", METRIC, "visitors", "distinct", only_grain="month")
    yield Measure("sessions_started", SESSION, "sessions_started")
    yield Measure("sessions_with_views", SESSION, "sessions_with_views")
    yield Measure("bounces", SESSION, "bounces")
    yield Measure("session_duration", SESSION, "duration_seconds")
    yield Measure("session_views", SESSION, "views")
    yield Measure("revenue", REVENUE, "revenue")
    yield Measure("goal_sessions", SESSION, "sessions_started")
    yield Measure("converted_sessions", GOAL, "sessions")


MEASURES: Mapping[str, Measure] = {measure.name: measure for measure in _measures()}
RATIOS: Mapping[str, Ratio] = {
    ratio.name: ratio
    for ratio in (
        Ratio("bounce_rate", "bounces", "sessions_with_views", True),
        Ratio("avg_session_duration", "session_duration", "sessions_started", False),
        Ratio("views_per_session", "session_views", "sessions_started", False),
        Ratio("conversion_rate", "converted_sessions", "goal_sessions", True),
    )
}
METRICS = (*MEASURES, *RATIOS)
GOAL_METRICS = ("goal_sessions", "converted_sessions", "conversion_rate")
# Metrics of the manifest that have an endpoint of their own.
ELSEWHERE: Mapping[str, str] = {
    **dict.fromkeys(("cohort_size", "returning_users", "retention_rate"), "/api/retention"),
    "funnel_users": "/api/funnels",
    "stickiness": "the mart active_users",
    **dict.fromkeys(
        ("received", "stored", "window_duplicate", "later_duplicate", "filtered", "counted", "quarantined"),
        "/api/accounting",
    ),
    "quarantined_fraction": "/api/accounting",
}


def measures_of(metrics: Iterable[str]) -> tuple[Measure, ...]:
    """The measures that the metrics are computed from, each once, in order."""
    return _measures_of(tuple(metrics))


@lru_cache(maxsize=512)
def _measures_of(metrics: tuple[str, ...]) -> tuple[Measure, ...]:
    names: dict[str, None] = {}
    for metric in metrics:
        ratio = RATIOS.get(metric)
        names |= dict.fromkeys((ratio.numerator, ratio.denominator) if ratio else (metric,))
    return tuple(MEASURES[name] for name in names)


def cut(measure: Measure, dimension: str) -> str:
    """The dimension as the measure's rollup calls it: the page of a session is the one it entered on."""
    return ENTRY_OF.get(dimension, dimension) if measure.rollup.is_by_entry else dimension


def dimensions_of(metric: str) -> tuple[str, ...]:
    """What a metric can be cut by, in the lake at least; `properties.<name>` comes on top for those of events."""
    measure = measures_of([metric])[0]
    if metric in GOAL_METRICS:
        return (*sorted(GOAL_CUTS), "page_url")
    if measure.rollup is SESSION:
        return (*sorted(SESSION_CUTS), "page_url")
    return TEXT_FIELDS


def is_cut_of(metric: str, dimension: str) -> bool:
    """Whether a metric can be cut by the dimension at all."""
    if dimension.startswith(PROPERTIES):
        return not measures_of([metric])[0].rollup.is_by_entry
    return dimension in dimensions_of(metric)
