"""An independent sessionization in plain Python, straight from semantics: all of history at once, slow and simple."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

Row = dict[str, Any]
DAY, HALF_DAY = timedelta(hours=24), timedelta(hours=12)
HALF_HOUR, MOMENT = timedelta(minutes=30), timedelta(microseconds=1)
ENTRY = (
    "referrer_host",
    "channel",
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "country",
    "device_type",
    "os",
    "browser",
)


def actor(row: Row) -> str:
    """Kind and value of the first id that is given."""
    for kind, name in (("u", "user_id"), ("a", "anonymous_id"), ("s", "session_id")):
        if row.get(name) is not None:
            return kind + row[name]
    raise AssertionError(row)


def sessions(rows: Iterable[Row], zone: ZoneInfo, *, bots: bool) -> list[Row]:
    """Sessions of one app's counted events, each with its events in `rows`; bots as if absent unless `bots`."""
    runs: dict[str, list[Row]] = defaultdict(list)
    servers: dict[str, list[Row]] = defaultdict(list)
    ordered = sorted(rows, key=lambda row: (row["event_time"], row["place"]))
    for row in ordered:
        if row["is_bot"] and not bots:
            continue
        session_id = row.get("session_id")
        if row["source"] == "server":
            if session_id is not None:
                servers["c" + session_id].append(row)
        else:
            runs["d" + actor(row) if session_id is None else "c" + session_id].append(row)
    found = []
    for key, events in runs.items():
        pieces = _pieces(events, zone, DAY if key.startswith("c") else HALF_HOUR)
        members = [(piece, list(piece)) for piece in pieces]
        for event in servers[key]:
            if (joined := _joined(event, pieces)) is not None:
                members[joined][1].append(event)
        found += [_session(key, piece, everything, zone) for piece, everything in members]
    return found


def _pieces(events: list[Row], zone: ZoneInfo, pause: timedelta) -> list[list[Row]]:
    pieces: list[list[Row]] = []
    run_start = events[0]["event_time"]
    previous = None
    for event in events:
        at = event["event_time"]
        if previous is None or at - previous > pause:
            run_start = at
            pieces.append([])
        elif any(midnight - run_start >= DAY for midnight in _midnights(previous, at, zone)):
            pieces.append([])
        pieces[-1].append(event)
        previous = at
    return pieces


def _midnights(after: datetime, until: datetime, zone: ZoneInfo) -> list[datetime]:
    """Local midnights in `(after, until]`."""
    date = after.astimezone(zone).date()
    found = []
    while (midnight := datetime(date.year, date.month, date.day, tzinfo=zone).astimezone(UTC)) <= until:
        if midnight > after:
            found.append(midnight)
        date += DAY
    return found


def _joined(event: Row, pieces: list[list[Row]]) -> int | None:
    at = event["event_time"]
    before = [number for number, piece in enumerate(pieces) if piece[0]["event_time"] <= at]
    if before:
        last = pieces[before[-1]]
        if last[-1]["event_time"] >= at or at - last[0]["event_time"] <= HALF_DAY:
            return before[-1]
    after = [number for number, piece in enumerate(pieces) if piece[0]["event_time"] >= at]
    if after and pieces[after[0]][0]["event_time"] - at <= HALF_HOUR:
        return after[0]
    return None


def _session(key: str, clients: list[Row], everything: list[Row], zone: ZoneInfo) -> Row:
    everything = sorted(everything, key=lambda row: (row["event_time"], row["place"]))
    start, end = clients[0]["event_time"], clients[-1]["event_time"]
    views = [row for row in everything if _is_view(row)]
    seen = [row for row in clients if _is_view(row)]
    others = [row for row in everything if not _is_view(row) and row.get("interactive", True)]
    users = [actor(row) for row in everything if actor(row).startswith("u")]
    seconds = (end - start) / timedelta(seconds=1)
    entry = seen[0] if seen else {}
    return {
        "session_key": f"{key}/{(start - datetime(1970, 1, 1, tzinfo=UTC)) // MOMENT}",
        "local_date": start.astimezone(zone).date(),
        "session_id": clients[0].get("session_id"),
        "actor": users[0] if users else actor(everything[0]),
        "is_user": bool(users),
        "started_at": start,
        "ended_at": end,
        "duration_seconds": seconds,
        "events": len(everything),
        "views": len(views),
        "other_interactive_events": len(others),
        "is_bounce": not (len(views) >= 2 or others or seconds >= 10) if views else None,
        "entry_page": entry.get("page_url"),
        "exit_page": seen[-1].get("page_url") if seen else None,
        **{name: entry.get(name) for name in ENTRY},
        "source": clients[0]["source"],
        "app_version": clients[0].get("app_version"),
        "rows": everything,
    }


def _is_view(row: Row) -> bool:
    return row["event_type"] in {"page_view", "screen_view"}
