"""Values that follow from others: an event's time and home hour, and the parts of a page's address."""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qsl

from eventmill.contracts.acquisition import CLICK_IDS
from eventmill.contracts.limits import CLOCK_TOLERANCE, MAX_FUTURE

# Scheme, user, host (an IPv6 address in its brackets), port.
_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*+://(?:[^/?#@]*+@)?(\[[^/?#\]]*+\]|[^/?#:]*+)")
# A query without any of these need not be taken apart.
_TAGGED = re.compile("utm_|" + "|".join(CLICK_IDS))
UTM_NAMES = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")


class Times(NamedTuple):
    """When an event happened by our rules, and the UTC hour whose partition it lies in."""

    event_time: datetime
    home: datetime
    shifted: bool


def times(timestamp: datetime | None, sent_at: datetime | None, received_at: datetime) -> Times:
    """Correct the client's clock [Segment's rule] and name the home hour.

    `received_at` is in UTC, the others carry an offset. The home hour is that of `timestamp` as sent, so all copies of
    an event share it whatever the correction does. Raises OverflowError outside the years 1 to 9999.
    """
    if timestamp is None:
        return Times(received_at, hour_of(received_at), shifted=False)
    event_time = timestamp.astimezone(UTC)
    home = hour_of(event_time)
    if sent_at is not None and abs(sent_at - received_at) > CLOCK_TOLERANCE:
        event_time = received_at - (sent_at - timestamp)
    if event_time - received_at > MAX_FUTURE:
        event_time = received_at
    return Times(event_time, home, shifted=hour_of(event_time) != home)


def hour_of(instant: datetime) -> datetime:
    """Start of the UTC hour that holds `instant`."""
    return instant.replace(minute=0, second=0, microsecond=0)


class Page(NamedTuple):
    """A page's address in parts; `utm` is in the order of UTM_NAMES, None where absent.

    `host` is in lower case, without port; None in a bare path. `click_id` is the name of an advertiser's parameter.
    """

    url: str
    path: str
    query: str | None
    utm: tuple[str | None, ...]
    host: str | None
    click_id: str | None


# An address may fill a whole event; thousands of those must not fill the memory.
_MAX_REMEMBERED = 1_000
NO_UTM: tuple[str | None, ...] = (None,) * len(UTM_NAMES)


def page(address: str) -> Page:
    """Cut query and fragment off, after the UTM parameters have been read. A bare path stays as it is."""
    return _remembered(address) if len(address) <= _MAX_REMEMBERED else _take_apart(address)


@lru_cache(maxsize=16_384)
def _remembered(address: str) -> Page:
    return _take_apart(address)


def _take_apart(address: str) -> Page:
    without_fragment = address.partition("#")[0]
    url, _, query = without_fragment.partition("?")
    rest = url.partition("://")[2]
    path = ("/" + rest.partition("/")[2]) if rest else url
    host = host_of(address)
    if _TAGGED.search(query) is None:
        return Page(url, path, query or None, NO_UTM, host, None)
    found = dict(reversed(parse_qsl(query, errors="replace")))
    click_id = next((name for name in CLICK_IDS if found.get(name)), None)
    return Page(url, path, query, tuple(found.get(name) for name in UTM_NAMES), host, click_id)


def host_of(address: str) -> str | None:
    """Host of an address in lower case, without user and port; None where it names none."""
    authority = _AUTHORITY.match(address)
    return authority[1].lower() or None if authority else None
