"""Questions over HTTP: live, from rollups, from the cache. All clients at once, flat out, and as people ask."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import duckdb

from eventmill.lake import EVENTS, LakeTable, lake_directory
from tests.benchmarks.ingest.results import Figure, Outcome, Side
from tests.benchmarks.ingest.room import VoidRunError
from tests.benchmarks.query.feeding import feeding
from tests.benchmarks.query.scale import Scale
from tests.benchmarks.query.service import QUESTION, Answers, Service
from tests.benchmarks.query.site import BUSY, DAY, expect

METRICS = ("events", "page_views", "unique_visitors")
# Limits beyond the number of rows change the question and not its answer; these are more than the cache can keep.
FRESH_LIMITS = range(100, 10_001)
# A client that shows a page thinks between two questions.
THINK_SECONDS = 0.02
WAYS = {"flat out": 0.0, f"{1000 * THINK_SECONDS:.0f} ms between an answer and the next question": THINK_SECONDS}
# Bots are events, but neither views nor visitors. A person of these visits has one anonymous id.
_COUNTS = """
    select date_trunc($grain, event_time) as period, count(*),
        count(*) filter (where event_type = 'page_view' and not is_bot),
        count(distinct anonymous_id) filter (where not is_bot)
    from read_parquet($files, hive_partitioning = false)
    where app_id = $app_id and event_time >= $start and event_time < $now
    group by 1 order by 1
"""


@dataclass(frozen=True, slots=True)
class Asking:
    """A question, what p50 and p99 must be (milliseconds), and how it has been answered, turn by turn."""

    name: str
    must: tuple[float, float]
    requests: Sequence[str]
    starts_with: str = ""
    cached: bool | None = None
    turns: dict[str, list[Answers]] = field(default_factory=lambda: {way: [] for way in WAYS})

    def ask(self, service: Service, scale: Scale) -> None:
        """One turn of each way. Raises VoidRunError where the cache was asked that should not, or not."""
        for way, pause in WAYS.items():
            # From where the last turn ended: kept answers have made room for thousands of others by the next round.
            first = sum(turn.sent for turns in self.turns.values() for turn in turns) % len(self.requests)
            requests = [*self.requests[first:], *self.requests[:first]]
            before = service.cache_outcomes()
            answers = service.load(requests, scale.clients, scale.seconds, pause=pause, starts_with=self.starts_with)
            self._check_cache(before, service.cache_outcomes())
            self.turns[way].append(answers)

    def _check_cache(self, before: Mapping[str, int], after: Mapping[str, int]) -> None:
        grown = {name: after[name] - before.get(name, 0) for name in after}
        kept, computed = grown.get("hit", 0) + grown.get("joined", 0), grown.get("miss", 0)
        if (self.cached is False and kept) or (self.cached and computed > 1):
            raise VoidRunError(f"{self.name}: {kept} answers were kept ones, {computed} computed")

    def outcomes(self, scale: Scale) -> Iterator[Outcome]:
        """A figure for p50 and for p99 of each way."""
        for way, turns in self.turns.items():
            sides = [
                Side(f"{scale.clients} clients", "answers/s", [turn.rate for turn in turns]),
                Side("the load's own processor time", "% of a core", [turn.own_percent for turn in turns]),
            ]
            for name, bound, values in (
                ("p50", self.must[0], [turn.p50 for turn in turns]),
                ("p99", self.must[1], [turn.p99 for turn in turns]),
            ):
                figure = Figure(f"{self.name}, {way}, {name}", bound, bound / 2, "ms", is_cost=True)
                yield Outcome(figure, values, sides)


def measure_live(service: Service, scale: Scale) -> list[Outcome]:
    """The last five minutes, as a summary and as a question, while events keep arriving."""
    question = {"metrics": ["events", "unique_visitors"], "date_range": "5m"}
    answer, _ = service.read(BUSY, QUESTION, question)
    expect(answer["meta"]["source"], "live", "source of the last 5 minutes")
    summary = f"/api/live?window=5m&app_id={BUSY}"
    views = int(service.read(BUSY, summary)[0]["data"]["total_views"])
    if not 0 < views <= scale.live_minutes * 60 * scale.live_rate:
        raise VoidRunError(f"the live summary counts {views} views")
    each = [
        Asking("last 5 minutes, live summary", (3, 10), [service.request(BUSY, summary)]),
        Asking("last 5 minutes, a question", (3, 10), [service.request(BUSY, QUESTION, question)]),
    ]
    with feeding(service.at.settings, BUSY, scale.live_rate):
        return _in_turns(service, scale, each)


def measure_rollups(service: Service, scale: Scale) -> list[Outcome]:
    """Charts of today and of days from the rollups, each question new; the chart of 30 days from the cache."""
    app_id = service.at.tenant.app_id
    each = []
    for name, words, grain, must in (
        ("today by hour", "today", "hour", (5, 20)),
        ("7 days by day", "7d", "day", (5, 25)),
        ("30 days by day", "30d", "day", (5, 25)),
    ):
        asked = chart(words, grain)
        begins = _checked(service, asked)
        fresh = [service.request(app_id, QUESTION, {**asked, "limit": limit}) for limit in FRESH_LIMITS]
        each.append(Asking(name, must, fresh, begins, False))
    kept = chart("30d", "day")
    requests = [service.request(app_id, QUESTION, kept)]
    each.append(Asking("30 days by day, cached", (1, 5), requests, _checked(service, kept), True))
    return _in_turns(service, scale, each)


def chart(words: str, grain: str) -> dict[str, Any]:
    """The question of a chart."""
    return {"metrics": list(METRICS), "date_range": words, "granularity": grain}


def _in_turns(service: Service, scale: Scale, each: Sequence[Asking]) -> list[Outcome]:
    for _ in range(scale.turns):
        for asking in each:
            asking.ask(service, scale)
    return [outcome for asking in each for outcome in asking.outcomes(scale)]


def _checked(service: Service, asked: Mapping[str, Any]) -> str:
    """How a right answer begins: its rows, held to counts of the lake's own rows."""
    answer, content = service.read(service.at.tenant.app_id, QUESTION, asked)
    expect(answer["meta"]["source"], "rollup", f"source of {asked['date_range']}")
    found = {
        datetime.fromisoformat(row["timestamp"]): tuple(row[name] for name in METRICS)
        for row in answer["data"]
        if row["events"]
    }
    start = datetime.fromisoformat(answer["data"][0]["timestamp"])
    counted = _counted(service, start, str(asked["granularity"]))
    expect(found, counted, f"{asked['date_range']} by {asked['granularity']}")
    rows, found_meta, _ = content.decode().partition(',"meta":')
    if not found_meta:
        raise VoidRunError("the answer's rows do not come first")
    return rows


def _counted(service: Service, start: datetime, grain: str) -> dict[datetime, tuple[int, ...]]:
    at = service.at
    table = LakeTable(lake_directory(at.settings), EVENTS)
    first = start.date().isoformat()
    files = [
        str(path)
        for path in table.directory.glob("**/*.parquet")
        if (day := _date_of(str(path))) is not None and day >= first
    ]
    values = {"grain": grain, "files": files, "app_id": at.tenant.app_id, "start": start, "now": at.now + DAY}
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        rows = connection.execute(_COUNTS, values).fetchall()
    return {row[0]: tuple(row[1:]) for row in rows}


def _date_of(path: str) -> str | None:
    _, found, rest = path.partition("event_date=")
    return rest[:10] if found else None
