"""An ordered funnel of four steps on one Parquet file: ours, and ClickHouse's windowFunnel in chdb."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import chdb.session
import duckdb

from eventmill.analysis.funnel import run
from eventmill.analysis.funnel_definition import FunnelDefinition, parse_funnel
from tests.benchmarks.ingest.results import Figure, Outcome, Side, compare
from tests.benchmarks.ingest.room import Room, VoidRunError
from tests.benchmarks.transform.scale import Scale
from tests.benchmarks.transform.site import seconds

_FIGURE = Figure("ordered funnel of 4 steps vs chdb's windowFunnel", 0.5, 1)
BEGIN = datetime(2026, 4, 1, tzinfo=UTC)
DAYS = 30
WINDOW = timedelta(days=7)
STEPS = ("page_view", "product_view", "add_to_cart", "purchase")
# Shares of a shop's events, cumulated.
_TYPES = {
    "page_view": 0.60,
    "click": 0.75,
    "product_view": 0.85,
    "scroll": 0.93,
    "add_to_cart": 0.97,
    "checkout": 0.985,
    "purchase": 1.0,
}
_EVENTS_PER_ACTOR = 20
_GENERATED = """
copy (
    select 'a' || md5(who::text) as actor, {types} as event_type, make_timestamptz(instant::bigint) as event_time,
        bot < 0.05 as is_bot, place
    from (
        select range as place, floor(power(random(), 1.5) * {actors}) as who, random() as type, random() as bot,
            {begin} + {span} * (range / {events} + random() / 1000) as instant
        from range({events})
    )
) to '{file}' (format parquet, compression zstd)
"""
_THEIRS = """
select countIf(level >= 1), countIf(level >= 2), countIf(level >= 3), countIf(level >= 4)
from (
    select windowFunnel({window})(reinterpretAsUInt64(toUnixTimestamp64Micro(event_time)), {conditions}) as level
    from file('{file}', Parquet) where not is_bot and event_type in ({types}) group by actor
) settings max_threads = {threads}, max_memory_usage = {memory}
"""


def measure(room: Room, scale: Scale) -> list[Outcome]:
    """Events per second on both sides; ours also computes who is in progress, and the median and mean times."""
    events = 4 * scale.hour_events
    file = room.directory / "funnel.parquet"
    ours, theirs = [], []
    session = chdb.session.Session()
    with duckdb.connect(config={"threads": scale.threads, "memory_limit": scale.memory}) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(_generated(file, events))
        connection.execute(f"create temp view shop_events as from read_parquet('{file}')")
        definition, query = _definition(), _their_query(file, scale)
        _compare(connection, session, definition, query)
        for _ in range(scale.repeats):
            ours.append(events / seconds(lambda: _users(connection, definition)))
            theirs.append(events / seconds(lambda: session.query(query, "CSV")))
    session.close()
    file.unlink()
    figure = Figure(f"{_FIGURE.title} ({events:,} events)", _FIGURE.must, _FIGURE.aim)
    return [compare(figure, Side("ours", "events/s", ours), Side("windowFunnel", "events/s", theirs))]


def _generated(file: Path, events: int) -> str:
    arms = " ".join(f"when type < {share} then '{name}'" for name, share in _TYPES.items())
    return _GENERATED.format(
        types=f"case {arms} end",
        actors=events // _EVENTS_PER_ACTOR,
        begin=int(BEGIN.timestamp()) * 1_000_000,
        span=DAYS * 86_400 * 1_000_000,
        events=events,
        file=file,
    )


def _definition() -> FunnelDefinition:
    asked = {"steps": [{"event_type": name} for name in STEPS], "window": f"{WINDOW.days}d"}
    return parse_funnel(asked).within(BEGIN, BEGIN + timedelta(days=DAYS + 1))


def _their_query(file: Path, scale: Scale) -> str:
    return _THEIRS.format(
        window=WINDOW // timedelta(microseconds=1),
        conditions=", ".join(f"event_type = '{name}'" for name in STEPS),
        types=", ".join(f"'{name}'" for name in STEPS),
        file=file,
        threads=scale.threads,
        memory=int(scale.memory.removesuffix("GB")) * 1000**3,
    )


def _users(connection: duckdb.DuckDBPyConnection, definition: FunnelDefinition) -> list[int]:
    rows = run(connection, definition, "shop_events", complete_through=BEGIN + timedelta(days=DAYS))
    return [row.users for row in rows]


def _compare(
    connection: duckdb.DuckDBPyConnection, session: chdb.session.Session, definition: FunnelDefinition, query: str
) -> None:
    """Warm both up, and end the benchmark where they differ."""
    mine = _users(connection, definition)
    other = [int(users) for users in str(session.query(query, "CSV")).strip().split(",")]
    if mine != other:
        raise VoidRunError(f"the funnels differ: {mine} here, {other} in chdb")
