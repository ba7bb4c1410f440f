"""Event time, home hour, and the parts of a page's address."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventmill.contracts import derive

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)

instants = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(lambda naive: naive.replace(tzinfo=UTC))


def test_without_a_timestamp_an_event_happened_when_it_was_received() -> None:
    assert derive.times(None, NOON - timedelta(days=1), NOON + SECOND) == (NOON + SECOND, NOON, False)


@pytest.mark.parametrize(("skew_seconds", "is_corrected"), [(-60, False), (60, False), (-61, True), (61, True)])
def test_a_clock_is_corrected_beyond_sixty_seconds(skew_seconds: int, *, is_corrected: bool) -> None:
    sent_at = NOON + skew_seconds * SECOND
    timestamp = sent_at - 10 * SECOND
    expected = NOON - 10 * SECOND if is_corrected else timestamp
    assert derive.times(timestamp, sent_at, NOON).event_time == expected


@pytest.mark.parametrize(
    ("ahead", "expected"), [(timedelta(hours=1), NOON + timedelta(hours=1)), (timedelta(hours=1, microseconds=1), NOON)]
)
def test_more_than_an_hour_ahead_is_now(ahead: timedelta, expected: datetime) -> None:
    assert derive.times(NOON + ahead, None, NOON).event_time == expected


def test_an_event_that_leaves_its_home_hour_is_shifted() -> None:
    sent_at = NOON - timedelta(hours=5)
    times = derive.times(sent_at, sent_at, NOON)
    assert times == (NOON, NOON - timedelta(hours=5), True)


def test_an_offset_is_no_shift() -> None:
    kathmandu = timezone(timedelta(hours=5, minutes=45))
    times = derive.times(NOON.astimezone(kathmandu), None, NOON)
    assert times == (NOON, NOON, False)
    assert times.event_time.tzinfo is UTC


@given(timestamp=instants, sent_at=st.none() | instants, received=st.lists(instants, min_size=2, max_size=2))
def test_every_copy_of_an_event_has_the_same_home_hour(
    timestamp: datetime, sent_at: datetime | None, received: list[datetime]
) -> None:
    first, second = (derive.times(timestamp, sent_at, received_at) for received_at in received)
    assert first.home == second.home == derive.hour_of(timestamp)
    for times, received_at in zip((first, second), received, strict=True):
        assert times.event_time <= received_at + timedelta(hours=1)
        assert times.shifted == (derive.hour_of(times.event_time) != times.home)


@pytest.mark.parametrize(
    ("address", "url", "path", "query"),
    [
        ("https://x.test/a/b?c=1#d", "https://x.test/a/b", "/a/b", "c=1"),
        ("https://x.test", "https://x.test", "/", None),
        ("https://x.test?q", "https://x.test", "/", "q"),
        ("/products", "/products", "/products", None),
        ("/products?page=2", "/products", "/products", "page=2"),
        ("app://home", "app://home", "/", None),
        ("/a#b?c", "/a", "/a", None),
    ],
)
def test_query_and_fragment_are_cut_off(address: str, url: str, path: str, query: str | None) -> None:
    assert derive.page(address)[:3] == (url, path, query)


def test_utm_parameters_are_read_before_the_query_is_cut() -> None:
    page = derive.page("https://x.test/?utm_source=news%20letter&a=1&utm_campaign=x&utm_source=second")
    assert dict(zip(derive.UTM_NAMES, page.utm, strict=True)) == {
        "utm_source": "news letter",
        "utm_medium": None,
        "utm_campaign": "x",
        "utm_term": None,
        "utm_content": None,
    }


@given(st.text())
def test_any_text_is_a_page(address: str) -> None:
    page = derive.page(address)
    assert "#" not in page.url
    assert "?" not in page.url
    assert derive.page(page.url).url == page.url


def test_a_long_address_is_taken_apart_like_a_short_one_and_not_kept_in_memory() -> None:
    derive._remembered.cache_clear()
    address = "https://shop.example/" + "x" * 2_000
    assert derive.page(f"{address}?utm_source=mail").url == address
    assert derive._remembered.cache_info().currsize == 0
    derive.page("/cart")
    assert derive._remembered.cache_info().currsize == 1


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("https://Shop.Example/a", "shop.example"),
        ("https://user:pass@shop.example:8443?q", "shop.example"),
        ("http://[2001:DB8::1]:80/", "[2001:db8::1]"),
        ("app://home", "home"),
        ("/products", None),
        ("https:///a", None),
        ("/a?to=https://x.test/", None),
    ],
)
def test_a_host_is_told_without_user_and_port(address: str, host: str | None) -> None:
    assert derive.page(address).host == host
