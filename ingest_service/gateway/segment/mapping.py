"""One message of Segment's spec becomes one event of ours; what is no such message becomes a line for quarantine."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import Raw

from eventmill.contracts import limits
from eventmill.contracts.parse import RejectedError, check_size_and_depth
from eventmill.contracts.reasons import Reason
from eventmill.contracts.unparsable import UnparsableLine, wrap
from ingest_service.gateway.segment.context import Context, client_fields, page_fields
from ingest_service.gateway.segment.fields import Fields, id_of, instant_of, message_of, object_of, text_of

# Segment's calls, and the event_type of each; a track message's is the name of its event.
EVENT_TYPES: dict[str, str] = {
    "track": "track",
    "page": "page_view",
    "screen": "screen_view",
    "identify": "identify",
    "group": "group",
    "alias": "alias",
}
# Members that become fields, and those that concern Segment's own delivery alone.
_READ = frozenset({"type", "event", "messageId", "userId", "anonymousId", "previousId", "groupId", "name", "category"})
_READ_TIMES = frozenset({"timestamp", "originalTimestamp", "sentAt"})
_DELIVERY = frozenset({"integrations", "writeKey", "_metadata", "receivedAt", "projectId", "version", "ip"})
_HANDLED = _READ | _READ_TIMES | _DELIVERY | {"context", "properties", "traits"}
# An address is never stored, in quarantine neither.
_ADDRESS = re.compile(rb'("ip"\s*:\s*")[0-9A-Za-z.:%]*(?=")')


@dataclass(frozen=True, slots=True)
class Batch:
    """What a batch says for all of its messages."""

    context: Mapping[str, Raw] = field(default_factory=dict)
    sent_at: Raw | None = None


ALONE = Batch()


def to_event(raw: bytes, kind: str | None = None, batch: Batch = ALONE) -> bytes:
    """Our event's JSON for a message's; where it breaks a rule, the line that is quarantined with the message's bytes.

    `kind` is the call (`track`, …) where the path says it; else the message's own `type` does. Never raises for what
    the bytes hold.
    """
    try:
        check_size_and_depth(raw)
        event = msgspec.json.encode(_event(message_of(raw), kind, batch))
        check_size_and_depth(event)
    except RejectedError as error:
        event_id = _event_id(raw)
        return wrap(UnparsableLine(without_address(raw), event_id, error.message, error.reason, error.path))
    return event


def without_address(raw: bytes) -> bytes:
    """A message's bytes with the value of every member `ip` that holds an address cut out."""
    return _ADDRESS.sub(rb"\1", raw)


def _event_id(raw: bytes) -> str | None:
    try:
        return id_of(message_of(raw), "messageId", limits.MAX_EVENT_ID)
    except RejectedError:
        return None


def _event(message: Fields, kind: str | None, batch: Batch) -> dict[str, Any]:
    kind = kind or _kind_of(message)
    context = Context(object_of(message, "context"), batch.context)
    properties = object_of(message, "properties")
    event: dict[str, Any] = {
        **_ids(message, kind),
        **_times(message, batch),
        **_names(message, kind),
        **client_fields(context),
        **page_fields(context, properties if kind == "page" else {}),
    }
    if not (event["user_id"] or event["anonymous_id"] or event["session_id"] or event["source"] == "web"):
        # A page's event without any id gets the visitor's id of the day, like any other.
        rule = "at least one of userId and anonymousId is required"
        raise RejectedError(Reason.MISSING_IDENTITY, "$", rule)
    event["properties"] = _properties(message, properties, context, kind)
    return {name: value for name, value in event.items() if value is not None}


def _kind_of(message: Fields) -> str:
    kind = text_of(message, "type", limits.MAX_EVENT_TYPE)
    if kind not in EVENT_TYPES:
        reason = Reason.MISSING_EVENT_TYPE if kind is None else Reason.WRONG_TYPE
        raise RejectedError(reason, "$.type", f"type: must be one of {', '.join(EVENT_TYPES)}")
    return kind


def _ids(message: Fields, kind: str) -> dict[str, str | None]:
    user_id = id_of(message, "userId", limits.MAX_ID)
    anonymous_id = id_of(message, "anonymousId", limits.MAX_ID)
    previous_id = id_of(message, "previousId", limits.MAX_ID)
    # An alias ties the previous id as an event with both ids does. (analytics.js sends the user's own id as both where
    # it knows the user already.)
    if kind == "alias" and previous_id and previous_id != user_id:
        anonymous_id = previous_id
    event_id = id_of(message, "messageId", limits.MAX_EVENT_ID)
    return {"event_id": event_id, "user_id": user_id, "anonymous_id": anonymous_id}


def _times(message: Fields, batch: Batch) -> dict[str, Raw | None]:
    # Where a message went through Segment, its `timestamp` is corrected already: only the original fits `sentAt`.
    timestamp = instant_of(message, "originalTimestamp") or instant_of(message, "timestamp")
    sent_at = instant_of(message, "sentAt")
    if sent_at is None and batch.sent_at is not None:
        sent_at = instant_of({"sentAt": batch.sent_at}, "sentAt")
    return {"timestamp": timestamp, "sent_at": sent_at}


def _names(message: Fields, kind: str) -> dict[str, str | None]:
    if kind != "track":
        name = text_of(message, "name", limits.MAX_EVENT_NAME) if kind in {"page", "screen"} else None
        return {"event_type": EVENT_TYPES[kind], "event_name": name}
    name = text_of(message, "event", limits.MAX_EVENT_NAME)
    if name is None:
        raise RejectedError(Reason.MISSING_EVENT_TYPE, "$.event", "event: a track message names its event")
    return {"event_type": name if len(name) <= limits.MAX_EVENT_TYPE else EVENT_TYPES["track"], "event_name": name}


def _properties(message: Fields, properties: Fields, context: Context, kind: str) -> dict[str, Any]:
    """The message's own properties, and beside them what else it says; where a name is taken, under `_segment`."""
    beside: dict[str, Any] = {
        "traits": object_of(message, "traits") or None,
        "group_id": id_of(message, "groupId", limits.MAX_ID),
        "previous_id": id_of(message, "previousId", limits.MAX_ID),
        "anonymous_id": id_of(message, "anonymousId", limits.MAX_ID)
        if kind == "alias" and "previousId" in message
        else None,
        "name": message.get("name"),
        "category": message.get("category"),
        "consent": context.take_consent(),
        "context": context.rest() or None,
    }
    beside = {name: value for name, value in beside.items() if value is not None}
    # analytics.js repeats a page's name and category in its properties.
    clashing = {name: value for name, value in beside.items() if name in properties and value != properties[name]}
    unknown = {name: value for name, value in message.items() if name not in _HANDLED}
    return beside | properties | ({"_segment": unknown | clashing} if unknown or clashing else {})
