"""Segment's `context`: what it says of page, campaign, device and library, and what is left of it."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw

from eventmill.contracts.limits import MAX_ID
from eventmill.enrichment import client_of
from ingest_service.gateway.segment.fields import Fields, integer_as_text, members, present, string

# Segment's device types name a platform; ours say what kind of device it is.
_DEVICE_TYPES = {"ios": "mobile", "android": "mobile"}
_OUR_DEVICE_TYPES = frozenset({"desktop", "mobile", "tablet", "tv", "bot"})
_MOBILE_LIBRARIES = ("ios", "android", "react-native", "flutter", "swift", "kotlin")
_CAMPAIGN = {
    "source": "utm_source",
    "medium": "utm_medium",
    "name": "utm_campaign",
    "term": "utm_term",
    "content": "utm_content",
}
_EMPTY = Raw(b"")
# `page_url` is made of `url`, `path` and `search`.
PAGE_NAMES = ("url", "path", "search", "title", "referrer")


class Context:
    """The merged context of a message. What is taken out of it has a field of its own; `rest` is everything else.

    Members of other types than Segment's are nobody's fault here: they are not taken, and stay in the rest.
    """

    def __init__(self, own: Fields, outer: Mapping[str, Raw]) -> None:
        own = present(own)
        self._fields = {name: _merged(own[name], outer[name]) for name in own if name in outer}
        self._fields = {**outer, **own, **self._fields}
        self._opened: dict[str, Fields] = {}
        # An address is never stored.
        self._fields.pop("ip", None)

    def take(self, name: str) -> str | None:
        """A string directly in the context."""
        return _take(self._fields, name)

    def take_in(self, part: str, name: str) -> str | None:
        """A string in one of the context's objects."""
        return _take(self._open(part), name)

    def _open(self, part: str) -> Fields:
        if part not in self._opened:
            self._opened[part] = members(self._fields.get(part)) or {}
            if self._opened[part]:
                del self._fields[part]
        return self._opened[part]

    def take_session(self) -> str | None:
        """`sessionId`, a string or an integer."""
        text = string(self._fields.get("sessionId")) or integer_as_text(self._fields.get("sessionId"))
        if text is None or len(text) > MAX_ID:
            return None
        del self._fields["sessionId"]
        return text

    def take_consent(self) -> Raw | None:
        """`consent.categoryPreferences`, as it is."""
        return self._open("consent").pop("categoryPreferences", None)

    def take_device_type(self) -> str | None:
        """`device.type` in our words; Segment's own stays in the rest where it says something else."""
        given = string(self._open("device").get("type"))
        if given is None:
            return None
        if given.lower() in _OUR_DEVICE_TYPES:
            del self._open("device")["type"]
            return given.lower()
        model = string(self._open("device").get("model")) or ""
        return "tablet" if model.startswith("iPad") else _DEVICE_TYPES.get(given.lower())

    def rest(self) -> dict[str, Any]:
        """What nobody took, for `properties.context`."""
        unopened = {name: value for name, value in self._fields.items() if bytes(value) != b"{}"}
        return unopened | {part: fields for part, fields in self._opened.items() if fields}


def _merged(own: Raw, outer: Raw) -> Raw:
    """A member of the message's own context over that of its batch; objects are merged member by member."""
    own_fields, outer_fields = members(own), members(outer)
    return own if own_fields is None or outer_fields is None else Raw(msgspec.json.encode(outer_fields | own_fields))


def _take(fields: Fields, name: str) -> str | None:
    text = string(fields.get(name))
    if text is not None or bytes(fields.get(name, _EMPTY)) == b'""':
        fields.pop(name, None)
    return text


def client_fields(context: Context) -> dict[str, Any]:
    """Event fields that the context gives, None where it does not. What it says outright wins over the User-Agent."""
    agent = client_of(context.take("userAgent"))
    library, version = context.take_in("library", "name"), context.take_in("library", "version")
    return {
        "source": _source_of(library) or agent.get("source"),
        "sdk_version": "/".join(part for part in (library, version) if part) or None,
        "device_type": context.take_device_type() or agent.get("device_type"),
        "os": context.take_in("os", "name") or agent.get("os"),
        "browser": agent.get("browser"),
        "is_bot": agent.get("is_bot"),
        "app_version": context.take_in("app", "version"),
        "locale": context.take("locale"),
        "time_zone": context.take("timezone"),
        "session_id": context.take_session(),
    } | {ours: context.take_in("campaign", name) for name, ours in _CAMPAIGN.items()}


def _source_of(library: str | None) -> str | None:
    if library is None:
        return None
    if library.startswith("analytics.js"):
        return "web"
    return "mobile" if any(name in library.lower() for name in _MOBILE_LIBRARIES) else "server"


def page_fields(context: Context, properties: Mapping[str, Raw]) -> dict[str, str | None]:
    """Where it happened: `properties` (of a page call) first, else `context.page`."""
    found = {name: context.take_in("page", name) for name in PAGE_NAMES}
    if own := {name: text for name in PAGE_NAMES if (text := string(properties.get(name)))}:
        # Address, path and search belong together: half of one page's and half of another's would be neither's.
        if own.keys() & {"url", "path", "search"}:
            found |= {"url": None, "path": None, "search": None}
        found |= own
    url, search = found["url"] or found["path"], found["search"]
    if url and search and "?" not in url:
        address, mark, fragment = url.partition("#")
        url = f"{address}?{search.removeprefix('?')}{mark}{fragment}"
    return {
        "page_url": url,
        "page_path": found["path"] if found["url"] else None,
        "page_title": found["title"],
        "referrer": found["referrer"],
    }
