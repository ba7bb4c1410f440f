"""The mutation `trackEvents`: events in words of GraphQL, sent to the gateway like anybody's."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
import strawberry

from query_service.graphql.context import Info
from query_service.graphql.fields import given, mutation, output
from query_service.graphql.scalars import JSON, Count
from query_service.query.errors import InvalidParameter

# Of the request, where the arguments do not say so.
HEADERS: Mapping[str, str] = {
    "user_id": "x-user-id",
    "anonymous_id": "x-anonymous-id",
    "session_id": "x-session-id",
    "device_type": "x-device",
}
_RENAMED = {"id": "event_id", "type": "event_type", "device": "device_type", "metadata": "properties"}
# No default: each one would be filled in for every event.
UNSET = strawberry.UNSET
_ENCODER = msgspec.json.Encoder()


@given
class EventInput:
    """An event; docs/events.md says what each field may be. Ids and device go before those of the call."""

    id: strawberry.ID | None = strawberry.field(default=UNSET, description="The same id again is no new event.")
    type: str | None = UNSET
    name: str | None = UNSET
    label: str | None = strawberry.field(default=UNSET, description="The name, or a property where there is a name.")
    path: str | None = strawberry.field(default=UNSET, description="The page, as an address or a bare path.")
    duration: Count | None = strawberry.field(default=UNSET, description="Milliseconds.")
    metadata: JSON | None = strawberry.field(default=UNSET, description="The event's properties.")
    timestamp: str | None = strawberry.field(default=UNSET, description="RFC 3339; when it is taken in by default.")
    sent_at: str | None = UNSET
    user_id: strawberry.ID | None = UNSET
    anonymous_id: strawberry.ID | None = UNSET
    session_id: strawberry.ID | None = UNSET
    device: str | None = UNSET
    source: str | None = UNSET
    page_title: str | None = UNSET
    referrer: str | None = UNSET
    os: str | None = UNSET
    browser: str | None = UNSET
    country: str | None = UNSET
    locale: str | None = UNSET
    time_zone: str | None = UNSET
    app_version: str | None = UNSET
    sdk_version: str | None = UNSET
    schema_version: str | None = UNSET


@output
class EventResult:
    """What became of an event: accepted, duplicate, quarantined or filtered."""

    event_id: str | None
    status: str
    reason: str | None
    path: str | None
    message: str | None
    rule: str | None


@output
class TrackResult:
    """What became of a call. `success`: no event was quarantined. `eventCount` are those that were accepted."""

    success: bool
    event_count: int
    duplicate_count: int
    filtered_count: int
    errors: list[str] = strawberry.field(description="A line for each event that was quarantined.")
    events: list[EventResult] = strawberry.field(description="In the order of the call.")


Events = Annotated[list[EventInput], strawberry.argument(description="Each is judged by itself, as at the gateway.")]


@output
class Mutation:
    """What changes something."""

    @mutation("Send events with a write key; ids and device may come as headers too.")
    async def track_events(
        self,
        info: Info,
        events: Events,
        app_id: str | None = None,
        user_id: strawberry.ID | None = None,
        anonymous_id: strawberry.ID | None = None,
        session_id: strawberry.ID | None = None,
        device: str | None = None,
    ) -> TrackResult | None:
        """One request to the gateway's /v1/events."""
        if not events:
            raise InvalidParameter("events", "There is no event.", "At least one event.")
        sender = info.context.sender
        given = {"user_id": user_id, "anonymous_id": anonymous_id, "session_id": session_id, "device_type": device}
        usual = {name: sender.headers.get(header) for name, header in HEADERS.items()} | _known(given)
        body = _ENCODER.encode([as_sent(event, {**usual, "app_id": app_id}) for event in events])
        return result_of(await info.context.gateway.send(body, sender))


def as_sent(event: EventInput, usual: Mapping[str, Any]) -> dict[str, Any]:
    """The event as the gateway takes it; `usual` is what the call says of all of its events."""
    given = _known(vars(event))
    name, label, page = given.pop("name", None), given.pop("label", None), given.pop("path", None)
    duration, metadata = given.pop("duration", None), given.pop("metadata", None)
    sent = {_RENAMED.get(field, field): value for field, value in given.items()}
    if name is not None and label is not None and (metadata is None or isinstance(metadata, dict)):
        metadata = {"label": label, **(metadata or {})}
    more = {"event_name": name or label, "page_url": page, "duration_ms": duration, "properties": metadata}
    return _known(dict(usual)) | sent | _known(more)


def result_of(answer: Mapping[str, Any]) -> TrackResult:
    """The gateway's answer in words of GraphQL."""
    names = ("event_id", "status", "reason", "path", "message", "rule")
    found = [EventResult(**{name: one.get(name) for name in names}) for one in answer["events"]]
    return TrackResult(
        success=not answer["quarantined"],
        event_count=answer["accepted"],
        duplicate_count=answer["duplicate"],
        filtered_count=answer["filtered"],
        errors=[_line(number, one) for number, one in enumerate(found) if one.status == "quarantined"],
        events=found,
    )


def _line(number: int, one: EventResult) -> str:
    return f"events[{number}]: {one.reason} at {one.path}: {one.message}"


def _known(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None and value is not UNSET}
