"""What the live window should answer, computed event by event with dictionaries and sets."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

MINUTE_US = 60_000_000
PAUSE_US = 30 * MINUTE_US
Event = dict[str, Any]


def us(at: datetime) -> int:
    return round(at.timestamp() * 1_000_000)


def taken(batches: Iterable[tuple[Sequence[Event], int]]) -> list[Event]:
    """The events that a window took which was given batches, each at its time."""
    seen: set[str] = set()
    kept = []
    for events, added_us in batches:
        first = (added_us - 61 * MINUTE_US) // MINUTE_US
        for event in events:
            if us(event["event_time"]) // MINUTE_US >= first and event["event_id"] not in seen:
                seen.add(event["event_id"])
                kept.append(event)
    return kept


def held(known: Sequence[Event], now_us: int) -> list[Event]:
    """Those of them that it still holds."""
    first = (now_us - 61 * MINUTE_US) // MINUTE_US
    return [event for event in known if us(event["event_time"]) // MINUTE_US >= first]


def actor_of(events: Sequence[Event]) -> Callable[[Event], str]:
    users: dict[str, set[str]] = defaultdict(set)
    for event in events:
        if event["user_id"] is not None and event["anonymous_id"] is not None:
            users[event["anonymous_id"]].add(event["user_id"])

    def actor(event: Event) -> str:
        if event["user_id"] is not None:
            return "u" + event["user_id"]
        anonymous = event["anonymous_id"]
        if anonymous is not None:
            return "u" + min(users[anonymous]) if len(users.get(anonymous, ())) == 1 else "a" + anonymous
        return "s" + event["session_id"]

    return actor


def within(events: Sequence[Event], start_us: int, end_us: int) -> list[Event]:
    return [event for event in events if start_us <= us(event["event_time"]) < end_us]


def is_view(event: Event) -> bool:
    return event["event_type"] in {"page_view", "screen_view"}


def sessions(events: Sequence[Event], actor: Callable[[Event], str]) -> list[tuple[str, list[Event]]]:
    """People's sessions, each with its events; what servers send joins those of the client."""
    runs: dict[str, list[Event]] = defaultdict(list)
    by_id: dict[str, list[Event]] = defaultdict(list)
    for event in sorted(events, key=lambda event: us(event["event_time"])):
        if event["session_id"] is not None:
            by_id[event["session_id"]].append(event)
        elif event["source"] != "server":
            runs[actor(event)].append(event)
    found = [("id", one) for one in by_id.values() if any(event["source"] != "server" for event in one)]
    for run in runs.values():
        current = [run[0]]
        for event in run[1:]:
            if us(event["event_time"]) - us(current[-1]["event_time"]) > PAUSE_US:
                found.append(("run", current))
                current = []
            current.append(event)
        found.append(("run", current))
    return found


def average_duration(events: Sequence[Event], known: Sequence[Event], start_us: int, end_us: int) -> float | None:
    """`known` are all events that were ever held: a client's session is known from its first one on."""
    durations = []
    people = [event for event in known if not event["is_bot"]]
    with_id = [event for event in people if event["session_id"] is not None and event["source"] != "server"]
    for _, one in sessions(with_id, actor_of(events)):
        times = [us(event["event_time"]) for event in one]
        if within([event for event in one if event in events], start_us, end_us):
            durations.append((min(end_us, max(times)) - min(times)) / 1e6)
    loose = [event for event in events if event["session_id"] is None and not event["is_bot"]]
    for _, one in sessions([event for event in loose if us(event["event_time"]) < end_us], actor_of(events)):
        times = [us(event["event_time"]) for event in one]
        if within(one, start_us, end_us):
            durations.append((max(times) - min(times)) / 1e6)
    return round(sum(durations) / len(durations), 2) if durations else None


def summary(events: Sequence[Event], known: Sequence[Event], minutes: int, now_us: int) -> dict[str, Any]:
    """The numbers of a summary but for instants."""
    start_us = now_us - minutes * MINUTE_US
    actor = actor_of(events)
    rows = within(events, start_us, now_us)
    people = [event for event in rows if not event["is_bot"]]
    views = [event for event in people if is_view(event)]
    pages = Counter(event["page_url"] for event in views if event["page_url"] is not None)
    top = sorted(pages, key=lambda page: (-pages[page], page))[:10]
    last5 = within(events, now_us - 5 * MINUTE_US, now_us)
    before = within(events, now_us - 10 * MINUTE_US, now_us - 5 * MINUTE_US)
    first = start_us // MINUTE_US
    return {
        "total_views": len(views),
        "unique_visitors": len(set(map(actor, people))),
        "avg_duration": average_duration(events, known, start_us, now_us),
        "crashes": sum(event["event_type"] == "crash" for event in rows),
        "top_pages": [
            {"url": page, "views": pages[page], "visitors": _visitors(views, actor, "page_url", page)} for page in top
        ],
        "by_minute": [_minute(rows, actor, number) for number in range(first, (now_us - 1) // MINUTE_US + 1)],
        "countries": {
            country: (_visitors(people, actor, "country", country), count)
            for country, count in Counter(event["country"] for event in rows).items()
        },
        "events_5m": len(last5),
        "active_users_5m": len({actor(event) for event in last5 if not event["is_bot"]}),
        "events_5m_before": len(before),
        "active_users_5m_before": len({actor(event) for event in before if not event["is_bot"]}),
    }


def _visitors(events: Sequence[Event], actor: Callable[[Event], str], field: str, value: str | None) -> int:
    return len({actor(event) for event in events if event[field] == value})


def _minute(rows: Sequence[Event], actor: Callable[[Event], str], number: int) -> tuple[int, int, int]:
    here = within(rows, number * MINUTE_US, (number + 1) * MINUTE_US)
    people = [event for event in here if not event["is_bot"]]
    return len(here), sum(map(is_view, people)), len(set(map(actor, people)))


def cells(
    events: Sequence[Event], start: datetime, end: datetime, dimension: str | None, is_by_minute: bool
) -> dict[tuple[int, str | None], tuple[int, int, int, int, int]]:
    """Events, page views, visitors, users, sessions by minute (0 where none is asked for) and value."""
    actor = actor_of(events)
    rows = within(events, us(start), us(end))
    opened = sessions([event for event in rows if not event["is_bot"]], actor)
    if dimension == "page_url":
        rows = list(filter(is_view, rows))
    groups: dict[tuple[int, str | None], list[Event]] = defaultdict(list)
    for event in rows:
        minute = us(event["event_time"]) // MINUTE_US if is_by_minute else 0
        groups[minute, event[dimension] if dimension else None].append(event)
    return {place: _measures(found, actor, opened) for place, found in groups.items()}


def _measures(
    rows: Sequence[Event], actor: Callable[[Event], str], opened: Sequence[tuple[str, list[Event]]]
) -> tuple[int, int, int, int, int]:
    people = [event for event in rows if not event["is_bot"]]
    ids = {event["event_id"] for event in people}
    return (
        len(rows),
        sum(map(is_view, people)),
        len(set(map(actor, people))),
        len({one for one in map(actor, people) if one.startswith("u")}),
        sum(any(event["event_id"] in ids for event in one) for _, one in opened),
    )


def utc(at_us: int) -> datetime:
    return datetime.fromtimestamp(at_us / 1e6, UTC)
