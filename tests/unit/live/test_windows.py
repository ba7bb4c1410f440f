"""What becomes of envelopes on their way into the windows, and the bounds of all windows together."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from eventmill.contracts.decode import AppRules
from eventmill.contracts.filters import filters_of
from eventmill.contracts.subjects import HEADER_RECEIVED_AT
from eventmill.envelopes.decoding import decode_envelope
from eventmill.envelopes.events_table import events_table
from eventmill.envelopes.source import Envelope
from query_service.live.decoding import decode
from query_service.live.service import LiveWindows
from query_service.live.window import SCHEMA
from query_service.live.windows import Bounds, Windows
from tests.live_oracle import us

NOW = datetime(2026, 11, 20, 12, 0, 30, tzinfo=UTC)
HISTORY_START = datetime(2025, 1, 1, tzinfo=UTC)
SHOP = AppRules("shop", filters=filters_of([("path", "/admin/*")]))


def line(event_id: str, **fields: Any) -> bytes:
    return json.dumps({"event_id": event_id, "event_type": "page_view", "anonymous_id": "a", **fields}).encode()


def envelope(sequence: int, *lines: bytes, app_id: str = "shop", **headers: str) -> Envelope:
    return Envelope(sequence, f"events.{app_id}", headers, b"\n".join(lines), NOW)


def ids(tables: Any) -> list[str]:
    found: list[str] = tables["shop"]["event_id"].to_pylist()
    return found


def test_what_the_writer_rejects_or_leaves_out_is_not_shown() -> None:
    body = [
        line("good"),
        line("filtered", page_url="https://a.example/admin/x"),
        line("bad", user_id=7),
        b"not json",
        line("old", timestamp="2026-01-01T00:00:00Z"),
        line("last"),
    ]
    assert ids(decode([envelope(1, *body)], {"shop": SHOP}, HISTORY_START)) == ["good", "last"]


def test_apps_that_do_not_exist_and_envelopes_against_the_contract_are_passed_over() -> None:
    given = [
        envelope(1, line("x"), app_id="gone"),
        Envelope(2, "events.shop", {HEADER_RECEIVED_AT: "yesterday"}, line("y"), NOW),
        envelope(3, line("z")),
    ]
    assert ids(decode(given, {"shop": SHOP, "gone": None}, HISTORY_START)) == ["z"]


def test_many_messages_of_one_event_are_the_rows_that_the_writer_makes_of_them() -> None:
    given = [
        envelope(number, line(f"e{number}", page_url=f"https://a.example/{number}?utm_source=x", country="DE"))
        for number in range(100)
    ]
    found = decode(given, {"shop": SHOP}, HISTORY_START)["shop"]
    alone = events_table([decode_envelope(one, SHOP, HISTORY_START) for one in given])
    assert found.to_pylist() == alone.select(SCHEMA.names).to_pylist()


def tables(app_id: str, count: int, *, age: timedelta = timedelta(), first: int = 0) -> Any:
    body = [
        line(f"{first + number}", timestamp=(NOW - age).isoformat(), anonymous_id=str(number))
        for number in range(count)
    ]
    return decode([envelope(1, *body, app_id=app_id)], {app_id: AppRules(app_id)}, HISTORY_START)


def test_without_room_the_largest_app_loses_its_oldest_minute() -> None:
    windows = Windows(Bounds(rows=250, bytes=10**9))
    for number, age in enumerate((timedelta(minutes=9), timedelta(minutes=5), timedelta(minutes=1))):
        windows.add(tables("big", 90, age=age, first=1000 * number), us(NOW))
    windows.add(tables("small", 40, age=timedelta(minutes=30)), us(NOW))
    assert windows.rows == 220
    assert windows.start_us("big", us(NOW)) == us(datetime(2026, 11, 20, 11, 52, tzinfo=UTC))
    assert windows.start_us("small", us(NOW)) == us(NOW - timedelta(minutes=61))


def test_memory_is_bounded_too() -> None:
    windows = Windows(Bounds(rows=10**9, bytes=60_000))
    windows.add(tables("shop", 900), us(NOW))
    assert windows.bytes <= 60_000


def test_an_app_without_events_takes_no_room() -> None:
    windows = Windows(Bounds(rows=10**6, bytes=10**9))
    windows.add(tables("shop", 5), us(NOW))
    windows.advance(us(NOW + timedelta(hours=2)))
    assert (windows.rows, windows.bytes) == (0, 0)


async def test_who_listens_hears_of_new_events_and_of_no_copies() -> None:
    windows = LiveWindows(Bounds(10**6, 10**9), now_us=lambda: us(NOW))
    heard: list[str] = []
    end = windows.listen(heard.append)
    await windows.add(tables("shop", 3))
    await windows.add(tables("shop", 3))
    assert heard == ["shop"]
    end()
    await windows.add(tables("shop", 4))
    assert heard == ["shop"]
    assert (await windows.moment("shop", "5m")).data["total_views"] == 0
