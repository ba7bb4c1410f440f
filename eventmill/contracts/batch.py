"""Decode many events at once: the usual ones column by column, every other one is left to `decode_event`.

`decode_event` is the law. An event is usual where its outcome is plain: canonical names, no rule near its limit. Such
an event is stored, and the columns here say with what; a property test holds both ways to the same rows.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import repeat
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from eventmill.contracts import derive, limits
from eventmill.contracts.decode import AppRules, EnvelopeContext, default_source, default_version, is_known_version
from eventmill.contracts.event import SOURCES, Event, Instant
from eventmill.contracts.filters import Filters
from eventmill.contracts.plan import TrackingPlan
from eventmill.contracts.schema import INSTANT

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
# Arrow reads these as msgspec does; of other forms it takes some that are none, such as a time without seconds.
_PLAIN_INSTANT = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)$"
_LEAST_INSTANT = len("2026-03-01T12:00:00Z")
_BROKEN = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)
_HOUR = pa.scalar(timedelta(hours=1) // _US, pa.int64())
# Instants beyond these years are left to `decode_event`, whose arithmetic knows where the calendar ends.
_FIRST_US, _LAST_US = 0, (datetime(2200, 1, 1, tzinfo=UTC) - _EPOCH) // _US
_TOLERANCE_US, _FUTURE_US = limits.CLOCK_TOLERANCE // _US, limits.MAX_FUTURE // _US
_DAY_US = timedelta(days=1) // _US

# Fewer lines are faster through `decode_event`: a column costs some microseconds however short it is.
LEAST_USUAL = 32

Column = list[Any]
# Arrow types of the payload's fields; the others are texts. Those of no type have columns of their own.
_TYPES = {"duration_ms": pa.int64(), "is_bot": pa.bool_(), "timestamp": None, "sent_at": None, "opt_out": None}


class Span(NamedTuple):
    """A number of consecutive lines with one context."""

    context: EnvelopeContext
    lines: int


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
        return pc.not_equal(pc.divide(self.event_time, _HOUR), self.home_hour)

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
    for position in judged.unusual:
        judged.fields["properties"][position] = b""  # it may not be UTF-8
    usual = UsualEvents(_numbers(judged.rows), judged.span_of, _arrays(judged.fields), *judged.times)
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
    times: tuple[pa.Array, pa.Array, pa.Array, pa.Array]
    unusual: set[int]


def _judge(
    lines: Sequence[bytes], spans: Sequence[Span], app: AppRules, history_start: datetime | None
) -> _Judged | None:
    rows, events = _decode(lines)
    if not events:
        return None
    fields = _columns(events)
    span_of = _span_of(rows, spans)
    texts = lines if len(rows) == len(lines) else [lines[row] for row in rows]
    unusual = _Candidates(app, spans, fields, span_of, len(rows)).unusual(texts)
    times, odd = _times(span_of, fields, spans, app, history_start)
    return _Judged(rows, span_of, fields, times, unusual.union(odd))


def _numbers(rows: Sequence[int]) -> pa.Array:
    is_every_line = isinstance(rows, range) and len(rows) <= len(_NUMBERS)
    return _NUMBERS.slice(0, len(rows)) if is_every_line else pa.array(rows, pa.int32())


def _arrays(fields: dict[str, Column]) -> dict[str, pa.Array]:
    # At once: texts that wait for their flush as objects of their own would have left the processor's cache by then.
    return {name: pa.array(column, kind) for name, column in fields.items() if (kind := _TYPES.get(name, pa.string()))}


def _decode(lines: Sequence[bytes]) -> tuple[Sequence[int], list[Any]]:
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


def _columns(events: list[Any]) -> dict[str, Column]:
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


def _span_of(rows: Sequence[int], spans: Sequence[Span]) -> pa.Array:
    """Number of the span of each of these lines."""
    if len(spans) == 1:
        return _ZEROS.slice(0, len(rows)) if len(rows) <= len(_ZEROS) else pa.repeat(_ZEROS[0], len(rows))
    of_line = pa.array([number for number, span in enumerate(spans) for _ in repeat(None, span.lines)], pa.int32())
    return of_line if len(of_line) == len(rows) else of_line.take(pa.array(rows, pa.int32()))


class _Candidates:
    """Tells which of the decoded events are not usual. What is asked of a whole column costs next to nothing."""

    def __init__(
        self, app: AppRules, spans: Sequence[Span], fields: dict[str, Column], span_of: pa.Array, count: int
    ) -> None:
        self._app, self._spans, self._fields, self._span_of = app, spans, fields, span_of
        self._none: Column = [None] * count

    def _column(self, name: str) -> Column:
        return self._fields.get(name, self._none)

    def unusual(self, lines: Sequence[bytes]) -> set[int]:
        """Positions of events on which `decode_event` must decide, for any reason but their times."""
        found: set[int] = set()
        for positions in (
            self._large_or_deep(lines),
            self._outside("app_id", {None, self._app.app_id}),
            self._outside("opt_out", {None, False}),
            self._without_identity(),
            self._without_type(),
            self._by_default("source", default_source, SOURCES.__contains__),
            self._by_default("schema_version", default_version, is_known_version),
            self._odd,
            self._filtered(self._app.filters),
            self._planned(self._app.plan),
        ):
            found.update(positions)
        return found

    def _large_or_deep(self, lines: Sequence[bytes]) -> Collection[int]:
        found = []
        if max(map(len, lines)) > limits.MAX_EVENT_BYTES:
            found = [position for position, line in enumerate(lines) if len(line) > limits.MAX_EVENT_BYTES]
        # Every event and its `properties` open one level each: with few levels beyond those, none is deep.
        texts = self._fields["properties"]
        objects = 2 * len(texts) - texts.count(b"") - len(self._odd)
        most = limits.MAX_NESTING
        if _openers(b"".join(lines)) > objects + most - 2:
            found += [position for position, line in enumerate(lines) if _openers(line) > most]
        return found

    def _outside(self, name: str, allowed: set[Any]) -> Collection[int]:
        column = self._fields.get(name)
        if column is None or set(column) <= allowed:
            return ()
        return [position for position, value in enumerate(column) if value not in allowed]

    def _without_identity(self) -> Collection[int]:
        names = ("anonymous_id", "user_id", "session_id")
        columns = [self._fields[name] for name in names if name in self._fields]
        if any(None not in column and "" not in column for column in columns):
            return ()
        ids = zip(*columns, strict=True) if columns else repeat((), len(self._none))
        return [position for position, given in enumerate(ids) if not any(given)]

    def _without_type(self) -> Collection[int]:
        types = self._column("event_type")
        if None not in types and "" not in types:
            return ()
        pairs = zip(types, self._column("page_url"), strict=True)
        return [position for position, (event_type, url) in enumerate(pairs) if not (event_type or url)]

    def _by_default(
        self, name: str, default: Callable[[EnvelopeContext], str], is_allowed: Callable[[str], bool]
    ) -> Collection[int]:
        """Positions of a value that is not allowed, be it the event's or, where it names none, that of its span."""
        column = self._column(name)
        bad_spans = {number for number, span in enumerate(self._spans) if not is_allowed(default(span.context))}
        bad = {value for value in set(column) if value and not is_allowed(value)}
        if not bad and not bad_spans:
            return ()
        return [
            position
            for position, (value, span) in enumerate(zip(column, self._span_of.to_pylist(), strict=True))
            if (value in bad if value else span in bad_spans)
        ]

    @cached_property
    def _odd(self) -> Collection[int]:
        """Positions of `properties` that are neither missing nor plainly an object."""
        texts = self._fields["properties"]
        is_plain = b"".join(texts).isascii()
        return [
            position
            for position, text in enumerate(texts)
            if text and (text[:1] != b"{" or not (is_plain or _is_utf8(text)))
        ]

    def _filtered(self, filters: Filters) -> Collection[int]:
        if not filters.hosts and not filters.paths:
            return ()
        pairs = list(zip(self._column("page_url"), self._column("page_path"), strict=True))
        met = {pair for pair in set(pairs) if _is_filtered(filters, *pair)}
        return [position for position, pair in enumerate(pairs) if pair in met] if met else ()

    def _planned(self, plan: TrackingPlan | None) -> Collection[int]:
        if plan is None:
            return ()
        # An event without a type is a page view, or none of our business here.
        types = (event_type or "page_view" for event_type in self._column("event_type"))
        return [position for position, event_type in enumerate(types) if event_type in plan.types]


def _openers(text: bytes) -> int:
    # To look for a byte that is not there takes a fraction of counting it.
    return text.count(b"{") + (text.count(b"[") if b"[" in text else 0)


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_filtered(filters: Filters, url: str | None, path: str | None) -> bool:
    page = derive.page(url) if url else None
    return filters.kind_of(page and page.host, path or (page and page.path)) is not None


class _Limits(NamedTuple):
    """Bounds of the instants, in microseconds: what holds for the strictest of some spans."""

    first_received: int
    last_received: int
    oldest: int

    @classmethod
    def of(cls, spans: Sequence[Span], app: AppRules, history_start: datetime | None) -> "_Limits":
        """`oldest` is the least event time that every span takes."""
        received = [_micros(span.context.received_at) for span in spans]
        ages = [_FIRST_US if history_start is None else max(_FIRST_US, _micros(history_start))]
        if app.retention_days:
            age_us = min(app.retention_days * _DAY_US, _LAST_US)
            ages += [_micros(span.context.received_at) - age_us for span in spans if not span.context.history]
        return cls(min(received), max(received), max(ages))

    def keep(self, stamp: pa.Array) -> bool:
        """Whether timestamps are event times as they stand."""
        first, last = _bounds(stamp)
        return self.oldest <= first and last < min(_LAST_US, self.first_received + _FUTURE_US + 1)

    def trust(self, sent: pa.Array) -> bool:
        """Whether no client's clock is wrong."""
        first, last = _bounds(sent)
        return self.last_received - _TOLERANCE_US <= first and last <= self.first_received + _TOLERANCE_US


def _bounds(instants: pa.Array) -> tuple[int, int]:
    """Least and greatest of some instants."""
    bounds = pc.min_max(instants)
    return bounds["min"].as_py(), bounds["max"].as_py()


def _times(
    span_of: pa.Array, fields: dict[str, Column], spans: Sequence[Span], app: AppRules, history_start: datetime | None
) -> tuple[tuple[pa.Array, pa.Array, pa.Array, pa.Array], list[int]]:
    """Event time, home hour, timestamp and sent_at by `derive.times`; positions that `decode_event` must judge."""
    given, no_timestamps = _instants(fields.get("timestamp"), len(span_of))
    sent, no_sent_at = _instants(fields.get("sent_at"), len(span_of))
    bounds = _Limits.of(spans, app, history_start)
    # The usual thing, for whole columns: nobody's clock is wrong, nothing is old.
    if given.null_count == 0 and bounds.keep(given) and (sent.null_count == len(sent) or bounds.trust(sent)):
        return (given, pc.divide(given, _HOUR), given, sent), list(no_sent_at)
    received = pa.array([_micros(span.context.received_at) for span in spans], pa.int64()).take(span_of)
    stamp = pc.coalesce(given, received)
    sent_or_received = pc.coalesce(sent, received)
    is_wrong = pc.greater(pc.abs(pc.subtract(sent_or_received, received)), _TOLERANCE_US)
    corrected = pc.subtract(received, pc.subtract(sent_or_received, stamp))
    event_time = pc.if_else(pc.and_(is_wrong, pc.is_valid(given)), corrected, stamp)
    odd = {*no_timestamps, *no_sent_at} | _beyond_calendar([received, stamp, sent_or_received, event_time])
    event_time = pc.if_else(pc.greater(pc.subtract(event_time, received), _FUTURE_US), received, event_time)
    oldest = pa.array([_Limits.of([span], app, history_start).oldest for span in spans], pa.int64())
    odd.update(pc.indices_nonzero(pc.less(event_time, oldest.take(span_of))).to_pylist())
    return (event_time, pc.divide(stamp, _HOUR), given, sent), sorted(odd)


def _beyond_calendar(instants: Sequence[pa.Array]) -> set[int]:
    found: set[int] = set()
    for column in instants:
        is_beyond = pc.or_(pc.less(column, _FIRST_US), pc.greater_equal(column, _LAST_US))
        found.update(pc.indices_nonzero(is_beyond).to_pylist())
    return found


def _micros(instant: datetime) -> int:
    return (instant - _EPOCH) // _US


def _instants(column: Column | None, count: int) -> tuple[pa.Array, Collection[int]]:
    """Instants in microseconds since 1970, null where missing; the positions of texts that are none."""
    if column is None:
        return pa.nulls(count, pa.int64()), ()
    texts = pa.array(column, pa.string())
    if _are_plain(texts):
        try:
            return texts.cast(INSTANT).cast(pa.int64()), ()
        except pa.ArrowInvalid:
            pass  # the 30th of February
    parsed = [_parse_instant(text) for text in column]
    bad = [position for position, text in enumerate(column) if text is not None and parsed[position] is None]
    return pa.array(parsed, INSTANT).cast(pa.int64()), bad


def _are_plain(texts: pa.Array) -> bool:
    if texts.null_count == len(texts):
        return True
    is_zulu = pc.all(pc.ends_with(texts, "Z")).as_py()
    if is_zulu and pc.min(pc.binary_length(texts)).as_py() >= _LEAST_INSTANT:
        return True
    return bool(pc.all(pc.match_substring_regex(texts, _PLAIN_INSTANT)).as_py())


def _parse_instant(text: str | None) -> datetime | None:
    try:
        return None if text is None else msgspec.convert(text, Instant)
    except msgspec.ValidationError:
        return None


_NO_NUMBERS = pa.array([], pa.int64())
NO_USUAL_EVENTS = UsualEvents(
    pa.array([], pa.int32()), pa.array([], pa.int32()), {}, _NO_NUMBERS, _NO_NUMBERS, _NO_NUMBERS, _NO_NUMBERS
)
