"""Lines of a web server's log become events, and a broken one reaches the quarantine whole."""

import gzip
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventmill.access_log import AccessLogFormat, is_page_view, parse_line
from eventmill.contracts.decode import AppRules, DecodeContext, EnvelopeContext, Rejected, decode_event
from eventmill.contracts.event import StoredEvent
from eventmill.contracts.reasons import Reason

REAL_LOG = Path(__file__).parents[1] / "data" / "access_2015-05.log.gz"
CHROME = "Mozilla/5.0 (Windows NT 6.1) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/32.0.1700.107 Safari/537.36"
FORMAT = AccessLogFormat("site", b"salt of the app")
HISTORY = DecodeContext(
    AppRules("site"),
    EnvelopeContext("site", datetime(2026, 11, 22, tzinfo=UTC), history=True),
    datetime(2015, 5, 17, tzinfo=UTC),
)


def a_line(
    request: str = "GET /page HTTP/1.1", status: int = 200, size: str = "512", referrer: str = "-", agent: str = CHROME
) -> bytes:
    """A line of the combined format."""
    start = "198.18.0.7 - - [17/May/2015:23:30:00 -0230]"
    return f'{start} "{request}" {status} {size} "{referrer}" "{agent}"'.encode()


def stored(line: bytes) -> StoredEvent:
    """The event that the writer would store."""
    event = decode_event(FORMAT.encode(line, 1, "id-1"), HISTORY)
    assert isinstance(event, StoredEvent)
    return event


def real_lines() -> list[bytes]:
    return gzip.decompress(REAL_LOG.read_bytes()).splitlines()


def test_a_line_becomes_an_event() -> None:
    event = stored(a_line("GET /products?utm_source=mail&id=7 HTTP/1.1", referrer="http://www.google.com/"))
    assert event.event_id == "id-1"
    assert event.event_type == "page_view"
    assert event.event_time == datetime(2015, 5, 18, 2, 0, tzinfo=UTC)
    assert (event.page_url, event.page_query, event.utm_source) == ("/products", "utm_source=mail&id=7", "mail")
    assert event.referrer == "http://www.google.com/"
    assert (event.source, event.device_type, event.os, event.browser) == ("import", "desktop", "Windows", "Chrome")
    assert event.country is None
    assert event.is_bot is False
    assert msgspec.json.decode(event.properties) == {
        "method": "GET",
        "status": 200,
        "bytes": 512,
        "protocol": "HTTP/1.1",
    }


@pytest.mark.parametrize(
    ("request_line", "status", "is_view"),
    [
        ("GET / HTTP/1.1", 200, True),
        ("GET /page HTTP/1.0", 304, True),
        ("GET /page HTTP/1.1", 206, True),
        ("GET /page HTTP/1.1", 301, False),
        ("GET /page HTTP/1.1", 404, False),
        ("GET /page HTTP/1.1", 500, False),
        ("HEAD /page HTTP/1.1", 200, False),
        ("POST /page HTTP/1.1", 200, False),
        ("GET /style.css HTTP/1.1", 200, False),
        ("GET /Logo.PNG?v=3 HTTP/1.1", 200, False),
        ("GET /logo.png#top HTTP/1.1", 200, False),
        ("GET /page?image=logo.png HTTP/1.1", 200, True),
        ("GET /robots.txt HTTP/1.1", 200, True),
        ("GET /css HTTP/1.1", 200, True),
        ("GET /v1.2/page HTTP/1.1", 200, True),
        ("GET http://site.example/app.js HTTP/1.1", 200, False),
        ("GET http://site.example HTTP/1.1", 200, True),
    ],
)
def test_a_page_view_is_an_answered_get_for_no_static_asset(request_line: str, status: int, is_view: bool) -> None:
    request = parse_line(a_line(request_line, status))
    assert request is not None
    assert is_page_view(request) is is_view


def test_what_is_not_http_is_kept_as_a_request_without_a_page() -> None:
    event = stored(a_line(r"\x16\x03\x01", 400))
    assert event.event_type == "http_request"
    assert event.page_url is None
    assert msgspec.json.decode(event.properties)["request"] == "\x16\x03\x01"


def test_a_size_of_a_dash_is_an_empty_body() -> None:
    assert msgspec.json.decode(stored(a_line(size="-")).properties)["bytes"] == 0


def test_escapes_of_the_server_are_undone() -> None:
    request = parse_line(a_line(referrer=r"http://\xd0\xb9.example/\"quoted\"\\", agent=r"a\tb"))
    assert request is not None
    assert request.referrer == 'http://й.example/"quoted"\\'
    assert request.user_agent == "a\tb"


def test_a_client_without_an_agent_is_a_bot() -> None:
    assert stored(a_line(agent="-")).is_bot is True


def test_the_address_is_nowhere_in_the_event() -> None:
    assert b"198.18.0.7" not in FORMAT.encode(a_line(), 1, "id-1")


def test_a_visitor_is_an_address_with_an_agent_under_the_apps_own_salt() -> None:
    visitor = stored(a_line()).anonymous_id
    assert stored(a_line("GET /other HTTP/1.1")).anonymous_id == visitor
    assert stored(a_line(agent="Mozilla/5.0 (Other)")).anonymous_id != visitor
    elsewhere = AccessLogFormat("site", b"another salt").encode(a_line(), 1, "id-1")
    assert msgspec.json.decode(elsewhere)["anonymous_id"] != visitor


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"not a log line",
        a_line()[:-1],
        a_line().replace(b"17/May", b"32/May"),
        a_line().replace(b"17/May", b"17/Mai"),
        a_line().replace(b"-0230", b"+9900"),
        a_line().replace(b" 200 ", b" OK "),
        b"\xff\x00" * 20,
    ],
)
def test_a_broken_line_is_quarantined_with_its_bytes(line: bytes) -> None:
    assert FORMAT.happened_at(line) is None
    rejected = decode_event(FORMAT.encode(line, 8_899, "id-8899"), HISTORY)
    assert rejected == Rejected(
        Reason.UNPARSABLE_LINE, "$", "line 8,899 is not in the combined log format", line, "id-8899"
    )


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_an_event_or_are_quarantined_whole(line: bytes) -> None:
    rejected = decode_event(FORMAT.encode(line, 1, "id-1"), HISTORY)
    assert isinstance(rejected, Rejected)
    assert rejected.raw == line


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_agent_is_taken(agent: bytes) -> None:
    escaped = agent.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n").replace(b"\r", b"\\r")
    assert stored(a_line(agent="%").replace(b"%", escaped)).event_type == "page_view"


def test_the_real_log_has_one_broken_line() -> None:
    requests = [parse_line(line) for line in real_lines()]
    assert [number for number, request in enumerate(requests, 1) if request is None] == [8_899]
    per_day = Counter(request.requested_at.date() for request in requests if request is not None)
    assert per_day == {
        date(2015, 5, 17): 1_632,
        date(2015, 5, 18): 2_893,
        date(2015, 5, 19): 2_896,
        date(2015, 5, 20): 2_578,
    }
