"""The fields of many events as columns: decoded from their lines, and as Arrow arrays."""

from collections.abc import Sequence
from itertools import repeat
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
from msgspec.structs import astuple

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
_NAMES = _UsualEvent.__struct_fields__
_EVENT = msgspec.json.Decoder(_UsualEvent)
_BROKEN = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

Column = Sequence[Any]
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
    nothing = (None,) * len(events)
    # Transposed in C: a comprehension for each field takes twice as long.
    columns = zip(_NAMES, zip(*map(astuple, events), strict=True), strict=True)
    fields: dict[str, Column] = {name: column for name, column in columns if column != nothing}
    fields["properties"] = list(map(bytes, fields["properties"]))
    return fields


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
