"""An independent recomputation of the rollups in plain Python, straight from semantics: slow and simple."""

import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

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


def metric(rows: list[Row], zones: dict[str, ZoneInfo], kept: int = 1000) -> dict[Cell, Numbers]:
    """Cells of `rollups.metric`: (app, grain, start, traffic, dimension, kind, value) → its five numbers.

    A dimension keeps its `kept` values with the most events, the rest is `other`.
    """
    users = stitched(rows)
    periods: dict[tuple[str, str, datetime, str], list[Row]] = defaultdict(list)
    for row in unique_events(rows):
        for grain, start in _periods(row["event_time"], zones[row["app_id"]]):
            for traffic in ["all"] if row["is_bot"] else ["all", "human"]:
                periods[row["app_id"], grain, start, traffic].append(row | {"actor": visitor(row, users)})
    cells: dict[Cell, Numbers] = {}
    for period, found in periods.items():
        _derive_sessions(found)
        for cut, members in _kept(found, period[1], kept).items():
            cells[(*period, *cut)] = _numbers(members)
    return cells


def _derive_sessions(rows: list[Row]) -> None:
    """Name the session of every event of one period: the client's, or the run of its actor's events without one.

    An id that only servers send is no session.
    """
    last: dict[Any, tuple[datetime, int]] = {}
    opened = {row.get("session_id") for row in rows if row["source"] != "server"}
    for row in sorted(rows, key=lambda row: row["event_time"]):
        if row.get("session_id") is not None:
            row["session"] = ("client", row["session_id"]) if row["session_id"] in opened else None
        elif row["source"] == "server":
            row["session"] = None
        else:
            before, number = last.get(row["actor"], (row["event_time"], 0))
            number += row["event_time"] - before > timedelta(minutes=30)
            last[row["actor"]] = row["event_time"], number
            row["session"] = ("run", row["actor"], number)


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
