"""What is going on in an app: counters, pages, countries and minutes of a window that ends now."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from query_service.live.codes import Numbers
from query_service.live.minute import MINUTE_US
from query_service.live.rows import Rows, compact, distinct, distinct_by, largest, with_not_set
from query_service.live.sessions import average_duration
from query_service.live.window import AppWindow

WINDOWS = {"5m": 5, "10m": 10, "60m": 60}
CURRENT_US = 5 * MINUTE_US
TOP_PAGES = 10
TOP_COUNTRIES = 50
CRASH = "crash"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def summary(window: AppWindow, word: str, now_us: int) -> dict[str, Any]:
    """The summary of one of WINDOWS; docs/live.md says what each number is. `events` are left to the caller."""
    start_us = max(now_us - WINDOWS[word] * MINUTE_US, window.start_us(now_us))
    rows = Rows(window, start_us, now_us)
    people = np.flatnonzero(rows.are_people)
    persons = len(window.persons)
    actors, actor_count = compact(rows.actors[people], persons)
    average = average_duration(rows)
    average = None if average is None else round(average, 2)
    return {
        "total_views": int(np.count_nonzero(rows.are_people & rows.are_views)),
        "unique_visitors": actor_count,
        "avg_duration": average,
        "avg_session_duration": average,
        "crashes": _crashes(rows),
        "top_pages": _top_pages(rows, people, actors, actor_count),
        "by_minute": _by_minute(rows, people, actors, actor_count),
        "by_country": _by_country(rows, people, actors, actor_count),
        "counters": _counters(window, rows if word == "5m" else None, now_us),
    }


def _counters(window: AppWindow, rows: Rows | None, now_us: int) -> dict[str, Any]:
    """Counters of the last five minutes; `rows` are theirs where they are at hand."""
    start_us = max(now_us - CURRENT_US, window.start_us(now_us))
    current = rows or Rows(window, start_us, now_us)
    before = Rows(window, start_us - CURRENT_US, start_us)
    visitors, visitors_before = _visitors(current), _visitors(before)
    is_known = start_us - CURRENT_US >= window.start_us(now_us)
    return {
        "events_5m": len(current),
        "active_users_5m": visitors,
        "current_visitors": visitors,
        "events_5m_before": len(before) if is_known else None,
        "active_users_5m_before": visitors_before if is_known else None,
        "trend_percent": _change(len(current), len(before)) if is_known else None,
        "active_users_trend_percent": _change(visitors, visitors_before) if is_known else None,
        "window_start": instant(start_us),
        "window_end": instant(now_us),
        "updated_at": instant(now_us),
    }


def _visitors(rows: Rows) -> int:
    return len(distinct(rows.actors[rows.are_people], len(rows.window.persons)))


def _change(now: int, before: int) -> float | None:
    return round(100 * (now - before) / before, 2) if before else None


def _crashes(rows: Rows) -> int:
    number = rows.window.texts["event_type"].number(CRASH)
    return int(np.count_nonzero(rows.column("event_type") == number)) if number >= 0 else 0


def _top_pages(rows: Rows, people: np.ndarray, actors: Numbers, actor_count: int) -> list[dict[str, Any]]:
    texts = rows.window.texts["page_url"].texts
    pages = rows.column("page_url")[people]
    viewed = np.flatnonzero(rows.are_views[people] & (pages >= 0))
    counts = np.bincount(pages[viewed], minlength=len(texts))
    top = largest(counts, texts, TOP_PAGES)
    if not top:
        return []
    place = np.full(len(texts), len(top), np.int32)
    place[top] = np.arange(len(top))
    visitors = distinct_by(place[pages[viewed]], actors[viewed], len(top) + 1, actor_count)
    return [
        {"url": texts[page], "views": int(counts[page]), "visitors": int(visitors[number])}
        for number, page in enumerate(top)
    ]


def _by_minute(rows: Rows, people: np.ndarray, actors: Numbers, actor_count: int) -> list[dict[str, Any]]:
    first = rows.start_us // MINUTE_US
    count = (rows.end_us - 1) // MINUTE_US - first + 1
    minutes = rows.minutes()
    events = np.bincount(minutes, minlength=count)
    views = np.bincount(minutes[people][rows.are_views[people]], minlength=count)
    visitors = distinct_by(minutes[people], actors, count, actor_count)
    return [
        {
            "minute": instant((first + number) * MINUTE_US),
            "events": int(events[number]),
            "page_views": int(views[number]),
            "unique_visitors": int(visitors[number]),
        }
        for number in range(count)
    ]


def _by_country(rows: Rows, people: np.ndarray, actors: Numbers, actor_count: int) -> list[dict[str, Any]]:
    texts: list[str | None] = [*rows.window.texts["country"].texts, None]
    countries = with_not_set(rows.column("country"), len(texts) - 1)
    events = np.bincount(countries, minlength=len(texts))
    top = largest(events, [text or "\U0010ffff" for text in texts], TOP_COUNTRIES)
    if not top:
        return []
    place = np.full(len(texts), len(top), np.int32)
    place[top] = np.arange(len(top))
    places = place[countries]
    visitors = distinct_by(places[people], actors, len(top) + 1, actor_count)
    count = (rows.end_us - 1) // MINUTE_US - rows.start_us // MINUTE_US + 1
    minutes = np.bincount(places * count + rows.minutes(), minlength=(len(top) + 1) * count).reshape(-1, count)
    found = [
        {
            "country": texts[country],
            "visitors": int(visitors[number]),
            "events": int(events[country]),
            "minutes": minutes[number].tolist(),
        }
        for number, country in enumerate(top)
    ]
    return sorted(found, key=lambda row: (-row["visitors"], -row["events"]))


def instant(us: int) -> str:
    """Microseconds since 1970 as RFC 3339 in UTC."""
    return (_EPOCH + timedelta(microseconds=us)).isoformat().replace("+00:00", "Z")


def public_event(event: dict[str, Any], *, may_see_people: bool) -> dict[str, Any]:
    """An event as recent events show it; ids of persons only to whoever may see them."""
    shown = {
        "id": event["event_id"],
        "timestamp": event["event_time"],
        **{name: event[name] for name in ("event_type", "event_name", "page_url", "source", "country", "device_type")},
        "is_bot": event["is_bot"],
    }
    if may_see_people:
        shown |= {name: event[name] for name in ("user_id", "anonymous_id", "session_id")}
    return shown
