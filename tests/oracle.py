"""An independent recomputation of the rollups in plain Python, straight from semantics: slow and simple."""

import json
from collections import defaultdict
from collections.abc import Hashable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests import session_oracle

Row = dict[str, Any]
Cell = tuple[str, str, datetime, str, str, str, str]
Numbers = tuple[int, int, int, int, int]


def unique_events(rows: list[Row]) -> list[Row]:
    """The copy that the stream stored first, of all that share app, id and home hour."""
    firsts: dict[tuple[Any, ...], Row] = {}
    for row in sorted(rows, key=lambda row: (row["stream_seq"], row["row_no"])):
        firsts.setdefault((row["app_id"], row["event_date"], row["event_hour"], row["event_id"]), row)
    return list(firsts.values())


def stitched(rows: list[Row]) -> dict[tuple[str, str], str]:
    """The user of every anonymous id that was seen with one user, by app."""
    users: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in rows:
        if row.get("anonymous_id") is not None and row.get("user_id") is not None:
            users[row["app_id"], row["anonymous_id"]].add(row["user_id"])
    return {anonymous: min(found) for anonymous, found in users.items() if len(found) == 1}


def metric(
    rows: list[Row], zones: dict[str, ZoneInfo], kept: int = 1000, *, are_open: bool = False
) -> dict[Cell, Numbers]:
    """Cells of `rollups.metric`: (app, grain, start, traffic, dimension, kind, value) → its five numbers.

    A dimension keeps its `kept` values with the most events, the rest is `other`. Where periods `are_open`, what a
    server sends counts in a session whose id a client has sent on the same day.
    """
    periods: dict[tuple[str, str, datetime, str], list[Row]] = defaultdict(list)
    for app_id, traffic, row in _with_sessions(rows, zones, are_open=are_open):
        for grain, start in _periods(row["event_time"], zones[app_id]):
            periods[app_id, grain, start, traffic].append(row)
    cells: dict[Cell, Numbers] = {}
    for period, found in periods.items():
        for cut, members in _kept(found, period[1], kept).items():
            cells[(*period, *cut)] = _numbers(members)
    return cells


def _with_sessions(rows: list[Row], zones: dict[str, ZoneInfo], *, are_open: bool) -> Iterator[tuple[str, str, Row]]:
    """Every counted event in each traffic, with its actor and the name of its session, None without one."""
    users = stitched(rows)
    counted = unique_events(rows)
    for app_id, zone in zones.items():
        own = [
            row | {"actor": actor, "place": (row["stream_seq"], row["row_no"])} | ({actor[0]: actor[1]})
            for row in counted
            if row["app_id"] == app_id
            for actor in [visitor(row, users)]
        ]
        for traffic in ("all", "human"):
            members = [row for row in own if traffic == "all" or not row["is_bot"]]
            sessions = session_oracle.sessions(members, zone, bots=True)
            names: dict[Any, Hashable] = {row["place"]: one["session_key"] for one in sessions for row in one["rows"]}
            if are_open:
                names |= _names_while_open(members, zone)
            for row in members:
                yield app_id, traffic, row | {"session": names.get(row["place"])}


def _names_while_open(rows: list[Row], zone: ZoneInfo) -> dict[Any, Hashable]:
    """The sessions of all events that carry an id, as open periods tell them: by the id and the local day."""
    with_id = [row for row in rows if row.get("session_id") is not None]
    name = {row["place"]: (row["session_id"], row["event_time"].astimezone(zone).date()) for row in with_id}
    opened = {name[row["place"]] for row in with_id if row["source"] != "server"}
    return {place: one if one in opened else None for place, one in name.items()}


def _kept(rows: list[Row], grain: str, kept: int) -> dict[tuple[str, str, str], list[Row]]:
    """The rows of every cut of one period and traffic."""
    cuts: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in rows:
        for cut in _cuts(row, grain):
            cuts[cut].append(row)
    for dimension in {dimension for dimension, kind, _ in cuts if kind == "value"}:
        values = [cut for cut in cuts if cut[0] == dimension and cut[1] == "value"]
        values.sort(key=lambda cut: (-len(cuts[cut]), cut[2].encode()))
        for cut in values[kept:]:
            cuts[dimension, "other", ""] += cuts.pop(cut)
    return cuts


def _periods(instant: datetime, zone: ZoneInfo) -> list[tuple[str, datetime]]:
    local = instant.astimezone(zone)
    hour = instant - timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    midnight = datetime(local.year, local.month, local.day, tzinfo=zone)
    return [("hour", hour.astimezone(UTC)), ("day", midnight.astimezone(UTC))]


HOURLY_DIMENSIONS = ("event_type", "event_name", "source", "country", "device_type", "os")
DAILY_DIMENSIONS = (
    "browser",
    "referrer_host",
    "channel",
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "app_version",
)


def _cuts(row: Row, grain: str) -> list[tuple[str, str, str]]:
    cuts = [("total", "total", "")]
    for name in HOURLY_DIMENSIONS if grain == "hour" else HOURLY_DIMENSIONS + DAILY_DIMENSIONS:
        value = row.get(name)
        cuts.append((name, "value", value) if value is not None else (name, "not_set", ""))
    cuts.append(("source_event_name", "value", _json(row["source"], row["event_name"])))
    if grain != "hour":
        cuts.append(("event_type_os", "value", _json(row["event_type"], row.get("os"))))
    if row["event_type"] in {"page_view", "screen_view"}:
        page = row.get("page_url")
        cuts.append(("page_url", "value", page[:500]) if page is not None else ("page_url", "not_set", ""))
    return cuts


def _json(*values: str | None) -> str:
    return json.dumps(values, separators=(",", ":"), ensure_ascii=False)


def visitor(row: Row, users: dict[tuple[str, str], str]) -> tuple[str, str]:
    """The actor: the pair of kind and value of the first id that is given, or of the user it was stitched to."""
    user = row.get("user_id")
    if user is None and row.get("anonymous_id") is not None:
        user = users.get((row["app_id"], row["anonymous_id"]))
    for kind, value in (("user_id", user), *((kind, row.get(kind)) for kind in ("anonymous_id", "session_id"))):
        if value is not None:
            return kind, value
    raise AssertionError(row)


def _numbers(rows: list[Row]) -> Numbers:
    return (
        len(rows),
        sum(row["event_type"] in {"page_view", "screen_view"} for row in rows),
        len({row["actor"] for row in rows if row["actor"][0] == "user_id"}),
        len({row["actor"] for row in rows}),
        len({row["session"] for row in rows} - {None}),
    )
