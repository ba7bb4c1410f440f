"""The event, as it travels and as it is stored."""

from datetime import date, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw

from eventmill.contracts import limits

EventId = Annotated[str, Meta(max_length=limits.MAX_EVENT_ID)]
EventType = Annotated[str, Meta(max_length=limits.MAX_EVENT_TYPE)]
EventName = Annotated[str, Meta(max_length=limits.MAX_EVENT_NAME)]
Id = Annotated[str, Meta(max_length=limits.MAX_ID)]
# RFC 3339 with an offset: an instant, never a wall clock.
Instant = Annotated[datetime, Meta(tz=True)]
DurationMs = Annotated[int, Meta(ge=0, le=2**63 - 1)]

Source = Literal["web", "mobile", "server", "import"]
SOURCES: dict[str, Source] = {
    "web": "web",
    "mobile": "mobile",
    "server": "server",
    "import": "import",
    "api": "server",
}


class Event(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, gc=False):
    """An event as a client sends it, in canonical names.

    Unknown names are refused here on purpose: that makes the usual event fast to decode, and sends every other one
    through the alias rules of `decode`, which keep unknown names in `properties`.
    """

    app_id: str | None = None
    event_id: EventId | None = None
    event_type: EventType | None = None
    event_name: EventName | None = None
    timestamp: Instant | None = None
    sent_at: Instant | None = None
    user_id: Id | None = None
    anonymous_id: Id | None = None
    session_id: Id | None = None
    source: str | None = None
    page_url: str | None = None
    page_path: str | None = None
    page_title: str | None = None
    referrer: str | None = None
    utm_source: str | None = None
    utm_medium: str | None = None
    utm_campaign: str | None = None
    utm_term: str | None = None
    utm_content: str | None = None
    device_type: str | None = None
    os: str | None = None
    browser: str | None = None
    country: str | None = None
    app_version: str | None = None
    sdk_version: str | None = None
    locale: str | None = None
    time_zone: str | None = None
    duration_ms: DurationMs | None = None
    is_bot: bool | None = None
    schema_version: str | None = None
    opt_out: bool | None = None
    properties: Raw = Raw(b"")


class StoredEvent(msgspec.Struct, kw_only=True, gc=False):
    """One row of the lake table `events`, without its place in the stream (`stream_seq`, `row_no`)."""

    app_id: str
    event_id: str
    event_type: str
    event_name: str
    event_time: datetime
    timestamp: datetime | None
    sent_at: datetime | None
    received_at: datetime
    user_id: str | None
    anonymous_id: str | None
    session_id: str | None
    source: str
    page_url: str | None
    page_path: str | None
    page_query: str | None
    page_title: str | None
    referrer: str | None
    utm_source: str | None
    utm_medium: str | None
    utm_campaign: str | None
    utm_term: str | None
    utm_content: str | None
    device_type: str | None
    os: str | None
    browser: str | None
    country: str | None
    app_version: str | None
    sdk_version: str | None
    duration_ms: int | None
    is_bot: bool
    schema_version: str
    properties: str
    referrer_host: str | None
    channel: str | None
    click_id: str | None
    locale: str | None
    time_zone: str | None
    plan_violation: str | None
    shifted: bool
    event_date: date
    event_hour: int
