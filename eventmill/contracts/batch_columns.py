"""The fields of many events as columns: decoded from their lines, and as Arrow arrays."""

from collections.abc import Sequence
from itertools import repeat
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa

from eventmill.contracts import limits
from eventmill.contracts.decode import EnvelopeContext
from eventmill.contracts.event import Event

_ZEROS = pa.repeat(pa.scalar(0, pa.int32()), limits.MAX_REQUEST_EVENTS)
_NUMBERS = pa.array(range(limits.MAX_REQUEST_EVENTS), pa.int32())
# Instants as texts: to parse a column of them takes a quarter of what one object each does.
_UsualEvent = msgspec.defstruct(
    "_UsualEvent",
    [
        (field.encode_name, str | None if field.name in {"timestamp", "sent_at"} else field.type, field.default)
        for field in msgspec.structs.fields(Event)
    ],
    forbid_unknown_fields=True,
    kw_only=True,
    gc=False,
)
_EVENT = msgspec.json.Decoder(_UsualEvent)
_BROKEN = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

Column = list[Any]
# Arrow types of the payload's fields; the others are texts. Those of no type have columns of their own.
_TYPES = {"duration_ms": pa.int64(), "is_bot": pa.bool_(), "timestamp": None, "sent_at": None, "opt_out": None}


class Span(NamedTuple):
    """A number of consecutive lines with one context."""

    context: EnvelopeContext
    lines: int


def decode_lines(lines: Sequence[bytes]) -> tuple[Sequence[int], list[Any]]:
    """The lines that are events in canonical names, by number."""
    decode = _EVENT.decode
    try:
        return range(len(lines)), list(map(decode, lines))
    except _BROKEN:
        pass
    rows: list[int] = []
    events: list[Any] = []
    for row, line in enumerate(lines):
        try:
            events.append(decode(line))
        except _BROKEN:
            continue
        rows.append(row)
    return rows, events


def columns_of(events: list[Any]) -> dict[str, Column]:
    """The fields that any event has."""
    nothing = [None] * len(events)
    fields = {name: column for name, column in _every_column(events).items() if column != nothing}
    fields["properties"] = list(map(bytes, fields["properties"]))
    return fields


def _every_column(events: list[Any]) -> dict[str, Column]:
    # One comprehension each: an attrgetter takes twice as long, rows of tuples wake the garbage collector.
    return {
        "app_id": [event.app_id for event in events],
        "event_id": [event.event_id for event in events],
        "event_type": [event.event_type for event in events],
        "event_name": [event.event_name for event in events],
        "timestamp": [event.timestamp for event in events],
        "sent_at": [event.sent_at for event in events],
        "user_id": [event.user_id for event in events],
        "anonymous_id": [event.anonymous_id for event in events],
        "session_id": [event.session_id for event in events],
        "source": [event.source for event in events],
        "page_url": [event.page_url for event in events],
        "page_path": [event.page_path for event in events],
        "page_title": [event.page_title for event in events],
        "referrer": [event.referrer for event in events],
        "utm_source": [event.utm_source for event in events],
        "utm_medium": [event.utm_medium for event in events],
        "utm_campaign": [event.utm_campaign for event in events],
        "utm_term": [event.utm_term for event in events],
        "utm_content": [event.utm_content for event in events],
        "device_type": [event.device_type for event in events],
        "os": [event.os for event in events],
        "browser": [event.browser for event in events],
        "country": [event.country for event in events],
        "app_version": [event.app_version for event in events],
        "sdk_version": [event.sdk_version for event in events],
        "locale": [event.locale for event in events],
        "time_zone": [event.time_zone for event in events],
        "duration_ms": [event.duration_ms for event in events],
        "is_bot": [event.is_bot for event in events],
        "schema_version": [event.schema_version for event in events],
        "opt_out": [event.opt_out for event in events],
        "properties": [event.properties for event in events],
    }


def arrays_of(fields: dict[str, Column]) -> dict[str, pa.Array]:
    # At once: texts that wait for their flush as objects of their own would have left the processor's cache by then.
    return {name: pa.array(column, kind) for name, column in fields.items() if (kind := _TYPES.get(name, pa.string()))}


def line_numbers(rows: Sequence[int]) -> pa.Array:
    is_every_line = isinstance(rows, range) and len(rows) <= len(_NUMBERS)
    return _NUMBERS.slice(0, len(rows)) if is_every_line else pa.array(rows, pa.int32())


def span_numbers(rows: Sequence[int], spans: Sequence[Span]) -> pa.Array:
    """Number of the span of each of these lines."""
    if len(spans) == 1:
        return _ZEROS.slice(0, len(rows)) if len(rows) <= len(_ZEROS) else pa.repeat(_ZEROS[0], len(rows))
    of_line = pa.array([number for number, span in enumerate(spans) for _ in repeat(None, span.lines)], pa.int32())
    return of_line if len(of_line) == len(rows) else of_line.take(pa.array(rows, pa.int32()))
