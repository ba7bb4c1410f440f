"""Decode and validate one event: the same rules for gateway, writer and live window."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from msgspec import Raw

from eventmill.contracts import derive, limits, parse, unparsable
from eventmill.contracts.acquisition import Acquisition, Visit, acquisition
from eventmill.contracts.event import SOURCES, Event, StoredEvent
from eventmill.contracts.event_ids import new_event_id
from eventmill.contracts.filters import NO_FILTERS, FilterKind, Filters
from eventmill.contracts.parse import RejectedError
from eventmill.contracts.plan import PlanAction, TrackingPlan
from eventmill.contracts.reasons import Reason

_VERSION = re.compile(r"(\d{1,6})\.\d{1,6}\.\d{1,6}(?:[-+][0-9A-Za-z.+-]{1,64})?")


@dataclass(frozen=True, slots=True)
class AppRules:
    """What validation needs to know of an app.

    `retention_days` 0 keeps events for ever; `events_per_second` 0 is no limit, and the gateway's alone to enforce.
    """

    app_id: str
    retention_days: int = limits.DEFAULT_RETENTION_DAYS
    filters: Filters = NO_FILTERS
    plan: TrackingPlan | None = None
    events_per_second: int = 0


@dataclass(frozen=True, slots=True)
class EnvelopeContext:
    """What holds for all events of an envelope.

    `received_at` is in UTC. `defaults` fills fields that the payload leaves out: source, device_type, os, browser,
    country, sdk_version, schema_version (strings) and is_bot (bool).
    """

    app_id: str
    received_at: datetime
    history: bool = False
    defaults: Mapping[str, str | bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DecodeContext:
    """Everything besides the bytes that decides what becomes of an event.

    `app` is None where the subject names an app that does not exist. `history_start` is the first instant that has a
    partition: an event before it could be stored, but never counted.
    """

    app: AppRules | None
    envelope: EnvelopeContext
    history_start: datetime | None = None
    new_id: Callable[[], str] = new_event_id


@dataclass(frozen=True, slots=True)
class Rejected:
    """An event that goes to quarantine: whole, with the reason, the JSON path and what was wrong there."""

    reason: Reason
    path: str
    message: str
    raw: bytes
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class Filtered:
    """Internal traffic, a device that opted out, or a person who was erased: counted, not stored."""

    kind: FilterKind
    event_id: str | None


Decoded = StoredEvent | Rejected | Filtered


class _LeftOutError(Exception):
    """A filter of the app covers the event."""

    def __init__(self, kind: FilterKind) -> None:
        super().__init__(kind)
        self.kind = kind


def decode_event(raw: bytes, context: DecodeContext) -> Decoded:
    """Decode one event's JSON. Never raises for what the bytes hold: a bad event comes back as `Rejected`."""
    if line := unparsable.unwrap(raw):
        return Rejected(line.reason, line.path, line.message, line.raw, line.event_id)
    event: Event | None = None
    try:
        parse.check_size_and_depth(raw)
        event = parse.parse_event(raw)
        return _store(event, context)
    except RejectedError as error:
        event_id = event.event_id if event is not None else parse.event_id_of(raw)
        return Rejected(error.reason, error.path, error.message, raw, event_id)
    except _LeftOutError as left_out:
        return Filtered(left_out.kind, event.event_id or None if event is not None else None)


def _store(event: Event, context: DecodeContext) -> StoredEvent:
    envelope = context.envelope
    if context.app is None:
        raise RejectedError(Reason.UNKNOWN_APP, "$.app_id", f"app {envelope.app_id!r} does not exist")
    if event.app_id is not None and event.app_id != envelope.app_id:
        message = f"app_id: the credential or subject is for {envelope.app_id!r}, the payload says {event.app_id!r}"
        raise RejectedError(Reason.APP_MISMATCH, "$.app_id", message)
    page = derive.page(event.page_url) if event.page_url else None
    _filter(event, page, context.app.filters)
    if not (event.user_id or event.anonymous_id or event.session_id):
        raise RejectedError(
            Reason.MISSING_IDENTITY, "$", "at least one of user_id, anonymous_id and session_id is required"
        )
    times = _times(event, context, context.app)
    utm = page.utm if page else derive.NO_UTM
    event_type = _event_type(event)
    properties, plan_violation = _planned(context.app.plan, event_type, _properties(event.properties))
    campaign = event.utm_source or utm[0], event.utm_medium or utm[1], event.utm_campaign or utm[2]
    referrer_host, channel = came_from(page, event.referrer, campaign)
    default = envelope.defaults.get
    return StoredEvent(
        app_id=envelope.app_id,
        event_id=event.event_id or context.new_id(),
        event_type=event_type,
        event_name=event.event_name or event_type,
        event_time=times.event_time,
        timestamp=event.timestamp,
        sent_at=event.sent_at,
        received_at=envelope.received_at,
        user_id=event.user_id or None,
        anonymous_id=event.anonymous_id or None,
        session_id=event.session_id or None,
        source=_source(event.source or default_source(envelope)),
        page_url=page.url if page else None,
        page_path=event.page_path or (page.path if page else None),
        page_query=page.query if page else None,
        page_title=event.page_title,
        referrer=event.referrer or None,
        utm_source=campaign[0],
        utm_medium=campaign[1],
        utm_campaign=campaign[2],
        utm_term=event.utm_term or utm[3],
        utm_content=event.utm_content or utm[4],
        device_type=event.device_type or _text(default("device_type")),
        os=event.os or _text(default("os")),
        browser=event.browser or _text(default("browser")),
        country=event.country or _text(default("country")),
        app_version=event.app_version or None,
        sdk_version=event.sdk_version or _text(default("sdk_version")),
        duration_ms=event.duration_ms,
        is_bot=event.is_bot if event.is_bot is not None else default("is_bot") is True,
        schema_version=_schema_version(event.schema_version or default_version(envelope)),
        properties=properties,
        referrer_host=referrer_host,
        channel=channel,
        click_id=page.click_id if page else None,
        locale=event.locale or None,
        time_zone=event.time_zone or None,
        plan_violation=plan_violation,
        shifted=times.shifted,
        event_date=times.home.date(),
        event_hour=times.home.hour,
    )


def _filter(event: Event, page: derive.Page | None, filters: Filters) -> None:
    if event.opt_out:
        raise _LeftOutError(FilterKind.OPT_OUT)
    if filters is not NO_FILTERS:
        kind = filters.kind_of(page and page.host, event.page_path or (page and page.path))
        if kind is not None:
            raise _LeftOutError(kind)
        if filters.people is not None and filters.people.covers(event.user_id, event.anonymous_id):
            raise _LeftOutError(FilterKind.SUPPRESSED)


def came_from(
    page: derive.Page | None, referrer: str | None, campaign: tuple[str | None, str | None, str | None]
) -> tuple[str | None, str | None]:
    """Host of another site, and channel; both None for an event that tells nothing of where its visit came from.

    `campaign` is source, medium and name, be they the event's own or its page's.
    """
    if page is None and not referrer and not any(campaign):
        return None, None
    host, click_id = (page.host, page.click_id) if page else (None, None)
    # Thousands of long texts must not fill the memory.
    is_short = len(referrer or "") + len(host or "") <= _MAX_REMEMBERED
    return (_remembered if is_short and not any(campaign) else _acquisition)(host, click_id, referrer, *campaign)


def _acquisition(host: str | None, click_id: str | None, referrer: str | None, *campaign: str | None) -> Acquisition:
    return acquisition(Visit(host, click_id, derive.host_of(referrer) if referrer else None, *campaign))


_MAX_REMEMBERED = 500
_remembered = lru_cache(maxsize=16_384)(_acquisition)


def _planned(plan: TrackingPlan | None, event_type: str, properties: str) -> tuple[str, str | None]:
    """The properties that are left, and how they broke the plan. Raises RejectedError where that means quarantine."""
    violation = plan.check(event_type, properties.encode()) if plan is not None else None
    if violation is None:
        return properties, None
    if violation.action is PlanAction.QUARANTINE:
        raise RejectedError(Reason.PLAN_VIOLATION, violation.path, violation.message)
    return violation.properties.decode(), violation.message


def _text(value: str | bool | None) -> str | None:
    return value if isinstance(value, str) and value else None


def _event_type(event: Event) -> str:
    if event.event_type:
        return event.event_type
    if event.page_url:
        return "page_view"
    raise RejectedError(Reason.MISSING_EVENT_TYPE, "$.event_type", "event_type is required where page_url is not given")


def _source(name: str) -> str:
    source = SOURCES.get(name)
    if source is None:
        message = f"source: must be one of web, mobile, server, import (or api), got {name[:50]!r}"
        raise RejectedError(Reason.INVALID_SOURCE, "$.source", message)
    return source


def default_source(envelope: EnvelopeContext) -> str:
    """`source` of events that name none; it may be none that we know."""
    return str(envelope.defaults.get("source", "server"))


def default_version(envelope: EnvelopeContext) -> str:
    """`schema_version` of events that name none; it may be none that we know."""
    return _text(envelope.defaults.get("schema_version")) or limits.DEFAULT_SCHEMA_VERSION


def _schema_version(version: str) -> str:
    if not is_known_version(version):
        message = f"schema_version: major version must be at most {limits.SCHEMA_MAJOR}, got {version[:50]!r}"
        raise RejectedError(Reason.UNSUPPORTED_SCHEMA_VERSION, "$.schema_version", message)
    return version


def is_known_version(version: str) -> bool:
    """Whether a `schema_version` is semantic, and its major version one that this program knows."""
    matched = _VERSION.fullmatch(version)
    return matched is not None and int(matched[1]) <= limits.SCHEMA_MAJOR


def _times(event: Event, context: DecodeContext, app: AppRules) -> derive.Times:
    received_at = context.envelope.received_at
    try:
        times = derive.times(event.timestamp, event.sent_at, received_at)
        _check_range(event.sent_at)
    except OverflowError:
        name = "sent_at" if _is_in_range(event.timestamp) else "timestamp"
        message = f"{name}: outside the years 1 to 9999 in UTC"
        raise RejectedError(Reason.BAD_TIMESTAMP, f"$.{name}", message) from None
    is_too_old = app.retention_days and received_at - times.event_time > timedelta(days=app.retention_days)
    if is_too_old and not context.envelope.history:
        message = f"timestamp: older than the app's {app.retention_days} days; send it as history to keep it"
        raise RejectedError(Reason.TOO_OLD, "$.timestamp", message)
    start = context.history_start
    if start is not None and times.event_time < start:
        message = f"timestamp: history starts at {start:%Y-%m-%d} (EVENTMILL_HISTORY_START)"
        raise RejectedError(Reason.BEFORE_HISTORY_START, "$.timestamp", message)
    return times


def _check_range(instant: datetime | None) -> None:
    if instant is not None:
        instant.astimezone(UTC)  # OverflowError outside the years 1 to 9999


def _is_in_range(instant: datetime | None) -> bool:
    try:
        _check_range(instant)
    except OverflowError:
        return False
    return True


def _properties(raw: Raw) -> str:
    text = bytes(raw)
    if not text or text == b"null":
        return "{}"
    if not text.startswith(b"{"):
        raise RejectedError(Reason.NOT_AN_OBJECT, "$.properties", "properties: expected a JSON object")
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise RejectedError(Reason.MALFORMED_JSON, "$.properties", f"not valid UTF-8: {error}") from None
