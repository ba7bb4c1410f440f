"""What is going on in an app: counters, pages, countries and minutes of a window that ends now."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from query_service.live.digest import Counts, Digest, digests, split
from query_service.live.minute import MINUTE_US
from query_service.live.rows import compact, distinct, distinct_by, largest
from query_service.live.sessions import average_duration
from query_service.live.window import AppWindow

WINDOWS = {"5m": 5, "10m": 10, "60m": 60}
CURRENT_US = 5 * MINUTE_US
TOP_PAGES = 10
TOP_COUNTRIES = 50
CRASH = "crash"
# After every text.
_LAST = "\U0010ffff"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Digests by the number of their minute.
Found = Mapping[int, Digest]


def summary(window: AppWindow, word: str, now_us: int) -> dict[str, Any]:
    """The summary of one of WINDOWS; docs/live.md says what each number is. The last events are left to the caller."""
    start_us = max(now_us - WINDOWS[word] * MINUTE_US, window.start_us(now_us))
    found = digests(window, start_us, now_us)
    average = average_duration(window, found.values(), start_us, now_us)
    average = None if average is None else round(average, 2)
    minutes = range(start_us // MINUTE_US, (now_us - 1) // MINUTE_US + 1)
    return {
        "total_views": sum(one.views for one in found.values()),
        "unique_visitors": _visitors(window, found),
        "avg_duration": average,
        "avg_session_duration": average,
        "crashes": _crashes(window, found),
        "top_pages": _top_pages(window, found),
        "by_minute": [_minute(window, number, found.get(number)) for number in minutes],
        "by_country": _by_country(window, found, minutes),
        "counters": _counters(window, found if word == "5m" else None, now_us),
    }


def _counters(window: AppWindow, current: Found | None, now_us: int) -> dict[str, Any]:
    """Counters of the last five minutes; `current` is their digest where it is at hand."""
    start_us = max(now_us - CURRENT_US, window.start_us(now_us))
    if current is None:
        current = digests(window, start_us, now_us)
    before = digests(window, start_us - CURRENT_US, start_us)
    events, events_before = _events(current), _events(before)
    visitors, visitors_before = _visitors(window, current), _visitors(window, before)
    is_known = start_us - CURRENT_US >= window.start_us(now_us)
    return {
        "events_5m": events,
        "active_users_5m": visitors,
        "current_visitors": visitors,
        "events_5m_before": events_before if is_known else None,
        "active_users_5m_before": visitors_before if is_known else None,
        "trend_percent": _change(events, events_before) if is_known else None,
        "active_users_trend_percent": _change(visitors, visitors_before) if is_known else None,
        "window_start": instant(start_us),
        "window_end": instant(now_us),
        "updated_at": instant(now_us),
    }


def _events(found: Found) -> int:
    return sum(one.events for one in found.values())


def _visitors(window: AppWindow, found: Found) -> int:
    persons = len(window.persons)
    actors = np.concatenate([np.empty(0, np.int32), *(one.actors for one in found.values())])
    return len(distinct(window.stitches.actors(persons)[actors], persons))


def _change(now: int, before: int) -> float | None:
    return round(100 * (now - before) / before, 2) if before else None


def _crashes(window: AppWindow, found: Found) -> int:
    number = window.texts["event_type"].number(CRASH)
    return sum(int(one.types[number]) for one in found.values() if 0 <= number < len(one.types))


def _minute(window: AppWindow, number: int, digest: Digest | None) -> dict[str, Any]:
    minute = instant(number * MINUTE_US)
    if digest is None:
        return {"minute": minute, "events": 0, "page_views": 0, "unique_visitors": 0}
    persons = len(window.persons)
    visitors = len(distinct(window.stitches.actors(persons)[digest.actors], persons))
    return {"minute": minute, "events": digest.events, "page_views": digest.views, "unique_visitors": visitors}


def _top_pages(window: AppWindow, found: Found) -> list[dict[str, Any]]:
    texts = window.texts["page_url"].texts
    counts = _added([one.pages for one in found.values()], len(texts))
    top = largest(counts, texts, TOP_PAGES)
    visitors = _visitors_of(window, top, len(texts), [one.page_actors for one in found.values()])
    return [
        {"url": texts[page], "views": int(counts[page]), "visitors": int(visitors[number])}
        for number, page in enumerate(top)
    ]


def _by_country(window: AppWindow, found: Found, minutes: range) -> list[dict[str, Any]]:
    texts: list[str | None] = [None, *window.texts["country"].texts]
    events = _added([one.countries for one in found.values()], len(texts))
    top = largest(events, [text or _LAST for text in texts], TOP_COUNTRIES)
    visitors = _visitors_of(window, top, len(texts), [one.country_actors for one in found.values()])
    by_minute = {number: _added([one.countries], len(texts)) for number, one in found.items()}
    nothing = np.zeros(len(texts), np.int64)
    rows = [
        {
            "country": texts[country],
            "visitors": int(visitors[number]),
            "events": int(events[country]),
            "minutes": [int(by_minute.get(minute, nothing)[country]) for minute in minutes],
        }
        for number, country in enumerate(top)
    ]
    return sorted(rows, key=lambda row: (-row["visitors"], -row["events"]))


def _added(parts: Sequence[Counts], size: int) -> Counts:
    """Counts by number, of all parts; a part ends with the last number that it counts."""
    total = np.zeros(size, np.int64)
    for part in parts:
        total[: len(part)] += part
    return total


def _visitors_of(window: AppWindow, top: Sequence[int], groups: int, keys: Sequence[Counts]) -> Counts:
    """Distinct visitors of each of the groups in `top`."""
    if not top:
        return np.zeros(0, np.int64)
    place = np.full(groups, len(top), np.int32)
    place[list(top)] = np.arange(len(top))
    group, actors = split(np.concatenate(keys))
    chosen = np.flatnonzero(place[group] < len(top))
    persons = len(window.persons)
    visitors, count = compact(window.stitches.actors(persons)[actors[chosen]], persons)
    return distinct_by(place[group[chosen]], visitors, len(top), count)


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
