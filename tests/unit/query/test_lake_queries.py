"""Questions that the lake answers, held to a count in Python."""

import json
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
import pytest_asyncio

from eventmill.contracts.schema import IDENTITY_MAP_SCHEMA
from eventmill.data_files import write_data_file
from eventmill.delta_log import Commit
from eventmill.lake import IDENTITY_MAP, LakeTable
from eventmill.settings import Settings
from query_service.lake.copies import HourCopies
from query_service.lake.pool import LakePool
from query_service.lake.snapshots import LakeSnapshots
from query_service.query import spec as specs
from query_service.query.lake_asking import LakeAsking
from query_service.query.lake_queries import LakeQueries
from query_service.query.model import Tenant
from query_service.query.periods import place_of
from query_service.query.spec import QuerySpec
from tests.lake_of import NOW, ZONES, HandMadeLake, Row, some_events

pytestmark = [pytest.mark.timeout(60), pytest.mark.asyncio(loop_scope="module")]
SINCE = NOW - timedelta(days=4)
VIEWS = {"page_view", "screen_view"}
STITCHED = {"a1": "u1", "a2": "u7"}


class Lake:
    """A lake of random events, and what answers questions about it."""

    def __init__(self, settings: Settings) -> None:
        self.made = HandMadeLake(settings.home / "lake")
        rng = random.Random(7)
        for part in range(3):
            rows = some_events(rng, 120, SINCE + timedelta(days=part), SINCE + timedelta(days=part + 1, hours=6))
            for row in rows:
                row["country"] = rng.choice([None, "DE", "US"])
                row["properties"] = json.dumps({"plan": rng.choice(["pro", 7, True]), "deep": {"x": part}})
            self.made.append(rows)
        self.stitch({**STITCHED, "a3": "u1"}, {"a3": "u2"})
        self.pool = LakePool(settings)
        self.snapshots = LakeSnapshots(settings)
        self.copies = HourCopies(self.pool, self.snapshots)
        self.queries = LakeQueries(LakeAsking(self.pool, self.snapshots, self.copies))

    def stitch(self, *pairs: Mapping[str, str]) -> None:
        table = LakeTable(self.made.directory, IDENTITY_MAP)
        table.create()
        rows = [
            {"app_id": app_id, "anonymous_id": anonymous, "user_id": user, "stream_seq": 1}
            for app_id in ZONES
            for one in pairs
            for anonymous, user in one.items()
        ]
        content = pa.Table.from_pylist(rows, schema=IDENTITY_MAP_SCHEMA)
        file = write_data_file(table.directory, content, {}, IDENTITY_MAP.statistics)
        table.append(Commit(adds=[file]), table.version())

    async def ask(self, app_id: str = "shop", now: datetime = NOW, **asked: Any) -> list[dict[str, Any]]:
        result = await self.queries.run(parsed(app_id, now, **asked))
        return [dict(row) for row in result.rows]


def parsed(app_id: str = "shop", now: datetime = NOW, **asked: Any) -> QuerySpec:
    return specs.parse(asked, Tenant(app_id, ZONES[app_id]), now)


@pytest.fixture(scope="module")
def settings(new_directory: Callable[[], Any]) -> Settings:
    return Settings(home=new_directory(), query_lake_workers=1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lake(settings: Settings) -> AsyncIterator[Lake]:
    lake = Lake(settings)
    lake.pool.start()
    yield lake
    await lake.pool.close()


def counted(lake: Lake, spec: QuerySpec) -> list[Row]:
    """Events of the app in the range, copies left out, with `actor` behind each."""
    start, end = spec.range.instants
    found: dict[tuple[Any, ...], Row] = {}
    for row in lake.made.rows:
        key = (row["app_id"], row["event_id"], row["event_date"], row["event_hour"])
        found.setdefault(key, row)
    rows = [row for row in found.values() if row["app_id"] == spec.tenant.app_id]
    return [row | {"actor": actor_of(row)} for row in rows if start <= row["event_time"] < end]


def actor_of(row: Row) -> str:
    user = row["user_id"] or STITCHED.get(row["anonymous_id"])
    return f"u{user}" if user else f"a{row['anonymous_id']}"


def expected(lake: Lake, spec: QuerySpec, is_meant: Callable[[Row], bool] = lambda _: True) -> list[dict[str, Any]]:
    """The question's rows by counting one event after the other."""
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in counted(lake, spec):
        if not is_meant(row) or ("page_url" in spec.dimensions and row["event_type"] not in VIEWS):
            continue
        at = (spec.buckets[place_of(row["event_time"], spec.buckets)],) if spec.granularity else ()
        groups[(*at, *(stored(row[name]) for name in spec.dimensions))].append(row)
    names = [*(["timestamp"] if spec.granularity else []), *spec.dimensions]
    return [dict(zip(names, key, strict=True)) | measured(rows, spec) for key, rows in groups.items()]


def stored(value: str | None) -> str | None:
    return value and value[:500]


def measured(rows: list[Row], spec: QuerySpec) -> dict[str, int]:
    own = [row for row in rows if spec.include_bots or not row["is_bot"]]
    found = {
        "events": len(rows),
        "page_views": sum(row["event_type"] in VIEWS for row in own),
        "unique_visitors": len({row["actor"] for row in own}),
        "unique_users": len({row["actor"] for row in own if row["actor"][0] == "u"}),
    }
    return {name: found[name] for name in spec.metrics}


def unordered(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(repr(sorted(row.items(), key=lambda item: item[0])) for row in rows)


METRICS = ["events", "page_views", "unique_visitors", "unique_users"]
RANGE = ["2026-05-08T15:07:00Z", "2026-05-12T13:01:30Z"]


@pytest.mark.parametrize("app_id", list(ZONES))
@pytest.mark.parametrize("granularity", ["hour", "day", "week", "month"])
async def test_periods_are_those_of_the_app_s_clock(lake: Lake, app_id: str, granularity: str) -> None:
    asked = {"metrics": METRICS, "date_range": RANGE, "granularity": granularity}
    assert unordered(await lake.ask(app_id, **asked)) == unordered(expected(lake, parsed(app_id, **asked)))


async def test_minutes_are_counted(lake: Lake) -> None:
    asked = {
        "metrics": METRICS,
        "date_range": ["2026-05-09T10:07:30Z", "2026-05-09T17:00:00Z"],
        "granularity": "minute",
    }
    assert unordered(await lake.ask(**asked)) == unordered(expected(lake, parsed(**asked)))


@pytest.mark.parametrize("dimensions", [[], ["country"], ["page_url"], ["source", "event_type", "country"]])
@pytest.mark.parametrize("include_bots", [False, True])
async def test_people_are_counted_once_in_each_row(lake: Lake, dimensions: list[str], include_bots: bool) -> None:
    asked = {"metrics": METRICS, "dimensions": dimensions, "date_range": RANGE, "include_bots": include_bots}
    assert unordered(await lake.ask(**asked)) == unordered(expected(lake, parsed(**asked)))


FILTERS: list[tuple[list[Any], Callable[[Row], bool]]] = [
    ([["is", "country", ["DE"]]], lambda row: row["country"] == "DE"),
    ([["is_not", "country", ["DE"]]], lambda row: row["country"] != "DE"),
    ([["is_not_set", "country"]], lambda row: row["country"] is None),
    ([["is", "properties.plan", [7]]], lambda row: json.loads(row["properties"])["plan"] == 7),
    ([["is", "properties.plan", ["pro", True]]], lambda row: json.loads(row["properties"])["plan"] in {"pro", True}),
    ([["greater", "properties.deep.x", [0]]], lambda row: json.loads(row["properties"])["deep"]["x"] > 0),
    (
        [["is", "source", ["web", "mobile"]], ["contains", "event_type", ["view"]]],
        lambda row: row["source"] in {"web", "mobile"} and "view" in row["event_type"],
    ),
    ([["is", "page_url", ["/a"]]], lambda row: row["page_url"] == "/a" and row["event_type"] in VIEWS),
]


@pytest.mark.parametrize(("filters", "is_meant"), FILTERS)
async def test_filters_choose_events(lake: Lake, filters: list[Any], is_meant: Callable[[Row], bool]) -> None:
    asked = {"metrics": METRICS, "dimensions": ["event_type"], "date_range": RANGE, "filters": filters}
    assert unordered(await lake.ask(**asked)) == unordered(expected(lake, parsed(**asked), is_meant))


async def test_a_property_can_be_a_dimension(lake: Lake) -> None:
    rows = await lake.ask(metrics=["events"], dimensions=["properties.plan"], date_range=RANGE)
    assert {row["properties.plan"] for row in rows} == {"pro", "7", "true"}


async def test_rows_come_in_order_and_in_pages(lake: Lake) -> None:
    asked = {"metrics": METRICS, "dimensions": ["event_type", "country"], "date_range": RANGE}
    order = [["unique_visitors", "asc"], ["country", "desc"]]
    whole = await lake.ask(**asked, order_by=order)
    assert [row["unique_visitors"] for row in whole] == sorted(row["unique_visitors"] for row in whole)
    assert await lake.ask(**asked, order_by=order, limit=2) == whole[:3]


async def test_a_row_of_before_is_found_by_its_values(lake: Lake) -> None:
    spec = parsed(metrics=["events"], dimensions=["country"], date_range=RANGE)
    whole = {row["country"]: row["events"] for row in (await lake.queries.run(spec)).rows}
    found = (await lake.queries.run(spec, values=[("DE",), (None,), ("no such",)])).rows
    assert {row["country"]: row["events"] for row in found} == {name: whole[name] for name in ("DE", None)}


async def test_what_was_committed_meanwhile_is_in_the_next_answer(lake: Lake) -> None:
    asked = {"metrics": ["events"], "date_range": RANGE}
    before, name = await lake.ask(**asked), await lake.queries.fingerprint(parsed(**asked))
    assert await lake.queries.fingerprint(parsed(**asked)) == name
    at = datetime(2026, 5, 9, 12, tzinfo=UTC)
    [row] = some_events(random.Random(1), 1, at, at)
    fresh = row | {"app_id": "shop", "event_id": "fresh", "event_time": at}
    lake.made.append([fresh, fresh])
    assert (await lake.ask(**asked))[0]["events"] == before[0]["events"] + 1
    assert await lake.queries.fingerprint(parsed(**asked)) != name


async def test_an_hour_that_grows_is_followed_by_what_is_new_in_it(lake: Lake) -> None:
    at = datetime(2026, 5, 10, 12, tzinfo=UTC)
    [row] = some_events(random.Random(1), 1, at, at)
    asked = {"metrics": ["events"], "date_range": [at.isoformat(), (at + timedelta(hours=1)).isoformat()]}
    copies = HourCopies(lake.pool, lake.snapshots, least_growing=0)
    queries = LakeQueries(LakeAsking(lake.pool, lake.snapshots, copies))
    fresh = row | {"app_id": "shop", "event_time": at, "event_date": at.date(), "event_hour": at.hour}
    [before] = (await queries.run(parsed(**asked))).rows
    for ids, more in ((["g1", "g2"], 2), (["g3"], 3), (["g1", "g4"], 4), (["g5", "g5"], 5), (["g6"], 6), (["g3"], 6)):
        lake.made.append([fresh | {"event_id": one} for one in ids])
        [found] = (await queries.run(parsed(**asked))).rows
        assert found["events"] == before["events"] + more, ids


async def test_money_and_goals_are_counted_elsewhere(lake: Lake) -> None:
    assert lake.queries.can_answer(parsed(metrics=["events", "bounce_rate"], dimensions=["source"]))
    assert not lake.queries.can_answer(parsed(metrics=["revenue"]))
    assert lake.queries.can_answer(parsed(metrics=["dau"], granularity="day"))
