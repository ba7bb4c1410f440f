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


def metric(rows: list[Row], zones: dict[str, ZoneInfo]) -> dict[Cell, Numbers]:
    """Cells of `rollups.metric`: (app, grain, start, traffic, dimension, kind, value) → its five numbers."""
    cells: dict[Cell, list[Row]] = defaultdict(list)
    for row in unique_events(rows):
        for grain, start in _periods(row["event_time"], zones[row["app_id"]]):
            for dimension, kind, value in _cuts(row):
                for traffic in ["all"] if row["is_bot"] else ["all", "human"]:
                    cells[row["app_id"], grain, start, traffic, dimension, kind, value].append(row)
    return {cell: _numbers(found) for cell, found in cells.items()}


def _periods(instant: datetime, zone: ZoneInfo) -> list[tuple[str, datetime]]:
    local = instant.astimezone(zone)
    hour = instant - timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    midnight = datetime(local.year, local.month, local.day, tzinfo=zone)
    return [("hour", hour.astimezone(UTC)), ("day", midnight.astimezone(UTC))]


def _cuts(row: Row) -> list[tuple[str, str, str]]:
    cuts = [("total", "total", "")]
    cuts += [(name, "value", row[name]) for name in ("event_type", "event_name", "source")]
    pair = json.dumps([row["source"], row["event_name"]], separators=(",", ":"), ensure_ascii=False)
    cuts.append(("source_event_name", "value", pair))
    if row["event_type"] in {"page_view", "screen_view"}:
        page = row.get("page_url")
        cuts.append(("page_url", "value", page[:500]) if page is not None else ("page_url", "not_set", ""))
    return cuts


def visitor(row: Row) -> tuple[str, str]:
    """The actor: the pair of kind and value of the first id that is given."""
    for kind in ("user_id", "anonymous_id", "session_id"):
        if row.get(kind):
            return kind, row[kind]
    raise AssertionError(row)


def _numbers(rows: list[Row]) -> Numbers:
    return (
        len(rows),
        sum(row["event_type"] in {"page_view", "screen_view"} for row in rows),
        len({row["user_id"] for row in rows if row.get("user_id")}),
        len({visitor(row) for row in rows}),
        len({row["session_id"] for row in rows if row.get("session_id")}),
    )
