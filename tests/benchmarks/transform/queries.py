"""The rollups' queries on one Parquet file, in DuckDB and in chdb (ClickHouse's engine)."""

import math
import statistics
from pathlib import Path

import chdb.session
import duckdb

from tests.benchmarks.ingest.results import Figure, Outcome, Side
from tests.benchmarks.ingest.room import Room, VoidRunError
from tests.benchmarks.transform import lakes
from tests.benchmarks.transform.hours import AN_HOUR
from tests.benchmarks.transform.scale import Scale
from tests.benchmarks.transform.site import HOUR, open_site, seconds

_FIGURE = Figure("the rollups' queries vs chdb on the same Parquet, geometric mean", 1, 2)
DIMENSIONS = {
    "total": "'total'",
    "event_type": "event_type",
    "event_name": "event_name",
    "source": "source",
    "country": "country",
    "device_type": "device_type",
    "os": "os",
    "page_url": "page_url",
}
_OURS = """
select value, sum(events)::bigint, sum(views)::bigint,
    count(*) filter (where kind = 0), count(*) filter (where kind = 1)
from (
    select value, kind, key, sum(events) as events, sum(views) as views
    from (
        select {dimension} as value, 0 as kind, hash(coalesce(user_id, anonymous_id)) as key,
            count(*) as events, count(*) filter (where event_type = 'page_view') as views
        from '{file}' group by all
        union all
        select {dimension}, 1, hash(session_id), 0, 0 from '{file}' group by all
    ) group by all
) group by all order by all
"""
_THEIRS = """
select {dimension} as value, count(), countIf(event_type = 'page_view'),
    uniqExact(coalesce(user_id, anonymous_id)), uniqExact(session_id)
from file('{file}', Parquet) group by value order by value nulls last
settings max_threads = {threads}, max_memory_usage = {memory}
"""


def measure(room: Room, scale: Scale) -> list[Outcome]:
    """Seconds of chdb over those of DuckDB: events, views, exact visitors and sessions of each dimension's values."""
    file = room.directory / "hour.parquet"
    with open_site(room, scale) as site:
        lakes.fill(site.table, HOUR, AN_HOUR, scale.hour_events)
        _gather(sorted(map(str, site.table.directory.rglob("*.parquet"))), file)
    memory = int(scale.memory.removesuffix("GB")) * 1000**3
    session = chdb.session.Session()
    means: list[float] = []
    sums: dict[str, list[float]] = {"ours": [], "theirs": []}
    with duckdb.connect(config={"threads": scale.threads, "memory_limit": scale.memory}) as connection:
        for _ in range(scale.repeats):
            ours, theirs = [], []
            for dimension in DIMENSIONS.values():
                values = {"dimension": dimension, "file": file, "threads": scale.threads, "memory": memory}
                mine, other = _OURS.format(**values), _THEIRS.format(**values)
                _compare(connection, session, mine, other)
                ours.append(seconds(lambda query=mine: connection.execute(query).fetchall()))
                theirs.append(seconds(lambda query=other: session.query(query, "CSV")))
            means.append(math.exp(statistics.mean(math.log(b / a) for a, b in zip(ours, theirs, strict=True))))
            sums["ours"].append(sum(ours))
            sums["theirs"].append(sum(theirs))
    session.close()
    return [Outcome(_FIGURE, means, [Side("DuckDB", "s", sums["ours"]), Side("chdb", "s", sums["theirs"])])]


def _gather(files: list[str], target: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"copy (from read_parquet({files})) to '{target}' (format parquet, compression zstd)")


def _compare(connection: duckdb.DuckDBPyConnection, session: "chdb.session.Session", mine: str, other: str) -> None:
    """Both say the same: also the warm-up of either."""
    ours = sorted(tuple(map(str, row)) for row in connection.execute(mine).fetchall())
    answer = str(session.query(other, "TSV")).strip().replace("\\N", "None")
    theirs = sorted(tuple(line.split("\t")) for line in answer.split("\n"))
    if ours != theirs:
        raise VoidRunError("DuckDB and chdb do not count the same")
