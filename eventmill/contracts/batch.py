"""Decode many events at once: the usual ones column by column, every other one is left to `decode_event`.

`decode_event` is the law. An event is usual where its outcome is plain: canonical names, no rule near its limit. Such
an event is stored, and the columns here say with what; a property test holds both ways to the same rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from eventmill.contracts.batch_columns import (
    Column,
    Span,
    arrays_of,
    columns_of,
    decode_lines,
    line_numbers,
    span_numbers,
)
from eventmill.contracts.batch_rules import Candidates
from eventmill.contracts.batch_times import HOUR_US, Times, times_of
from eventmill.contracts.decode import AppRules, EnvelopeContext

__all__ = ["LEAST_USUAL", "NO_USUAL_EVENTS", "Span", "UsualEvents", "usual_events", "usual_ids"]

# Fewer lines are faster through `decode_event`: a column costs some microseconds however short it is.
LEAST_USUAL = 32


@dataclass(frozen=True, slots=True)
class UsualEvents:
    """Events that are stored, as columns of equal length.

    `rows` are the numbers of their lines, `spans` those of their spans (int32). `fields` holds what the payloads said,
    by field of Event, as text, bool or int64; a field that no event has is missing. `event_time` and `timestamp` are in
    microseconds since 1970, `home_hour` in hours since 1970 (int64); `timestamp` and `sent_at` may be null.
    """

    rows: pa.Array
    spans: pa.Array
    fields: dict[str, pa.Array]
    event_time: pa.Array
    home_hour: pa.Array
    timestamp: pa.Array
    sent_at: pa.Array

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shifted(self) -> pa.Array:
        """Whether each event's time lies outside its home hour."""
        return pc.not_equal(pc.divide(self.event_time, HOUR_US), self.home_hour)

    def where(self, mask: pa.Array) -> "UsualEvents":
        """The events for which a boolean array is true."""
        return UsualEvents(
            self.rows.filter(mask),
            self.spans.filter(mask),
            {name: column.filter(mask) for name, column in self.fields.items()},
            *(column.filter(mask) for column in (self.event_time, self.home_hour, self.timestamp, self.sent_at)),
        )


def usual_events(
    lines: Sequence[bytes], spans: Sequence[Span], app: AppRules | None, history_start: datetime | None
) -> tuple[UsualEvents, list[int]]:
    """The usual events among `lines`, which the spans cover, and the numbers of all other lines, ascending."""
    judged = _judge(lines, spans, app, history_start) if app is not None else None
    if judged is None:
        return NO_USUAL_EVENTS, list(range(len(lines)))
    if judged.unusual:
        texts = enumerate(judged.fields["properties"])
        # They may not be UTF-8.
        judged.fields["properties"] = [b"" if position in judged.unusual else text for position, text in texts]
    usual = UsualEvents(line_numbers(judged.rows), judged.span_of, arrays_of(judged.fields), *judged.times)
    if judged.unusual:
        usual = usual.where(pa.array([position not in judged.unusual for position in range(len(judged.rows))]))
    if len(usual) == len(lines):
        return usual, []
    stored = set(usual.rows.to_pylist())
    return usual, [row for row in range(len(lines)) if row not in stored]


def usual_ids(
    lines: Sequence[bytes], context: EnvelopeContext, app: AppRules, history_start: datetime
) -> dict[int, str]:
    """The `event_id` of each usual event by the number of its line; empty where it has none."""
    judged = _judge(lines, [Span(context, len(lines))], app, history_start)
    if judged is None:
        return {}
    ids = judged.fields.get("event_id") or [None] * len(judged.rows)
    found = {row: event_id or "" for row, event_id in zip(judged.rows, ids, strict=True)}
    for position in judged.unusual:
        del found[judged.rows[position]]
    return found


class _Judged(NamedTuple):
    """Lines that are events in canonical names, as columns, and the positions of those that are not usual."""

    rows: Sequence[int]
    span_of: pa.Array
    fields: dict[str, Column]
    times: Times
    unusual: set[int]


def _judge(
    lines: Sequence[bytes], spans: Sequence[Span], app: AppRules, history_start: datetime | None
) -> _Judged | None:
    rows, events = decode_lines(lines)
    if not events:
        return None
    fields = columns_of(events)
    span_of = span_numbers(rows, spans)
    texts = lines if len(rows) == len(lines) else [lines[row] for row in rows]
    unusual = Candidates(app, spans, fields, span_of, len(rows)).unusual(texts)
    times, odd = times_of(span_of, fields, spans, app, history_start)
    return _Judged(rows, span_of, fields, times, unusual.union(odd))


_NO_NUMBERS = pa.array([], pa.int64())
NO_USUAL_EVENTS = UsualEvents(
    pa.array([], pa.int32()), pa.array([], pa.int32()), {}, _NO_NUMBERS, _NO_NUMBERS, _NO_NUMBERS, _NO_NUMBERS
)
