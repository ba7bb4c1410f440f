"""The instants of many events: `derive.times`, column by column."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from eventmill.contracts import limits
from eventmill.contracts.batch_columns import Column, Span
from eventmill.contracts.decode import AppRules
from eventmill.contracts.event import Instant
from eventmill.contracts.schema import INSTANT

# Arrow reads these as msgspec does; of other forms it takes some that are none, such as a time without seconds.
_PLAIN_INSTANT = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)$"
_LEAST_INSTANT = len("2026-03-01T12:00:00Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)
HOUR_US = pa.scalar(timedelta(hours=1) // _US, pa.int64())
# Instants beyond these years are left to `decode_event`, whose arithmetic knows where the calendar ends.
_FIRST_US, _LAST_US = 0, (datetime(2200, 1, 1, tzinfo=UTC) - _EPOCH) // _US
_TOLERANCE_US, _FUTURE_US = limits.CLOCK_TOLERANCE // _US, limits.MAX_FUTURE // _US
_DAY_US = timedelta(days=1) // _US


class Times(NamedTuple):
    """Microseconds since 1970, `home_hour` in hours (int64); `timestamp` and `sent_at` may be null."""

    event_time: pa.Array
    home_hour: pa.Array
    timestamp: pa.Array
    sent_at: pa.Array


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


def times_of(
    span_of: pa.Array, fields: dict[str, Column], spans: Sequence[Span], app: AppRules, history_start: datetime | None
) -> tuple[Times, list[int]]:
    """Event time, home hour, timestamp and sent_at by `derive.times`; positions that `decode_event` must judge."""
    given, no_timestamps = _instants(fields.get("timestamp"), len(span_of))
    sent, no_sent_at = _instants(fields.get("sent_at"), len(span_of))
    bounds = _Limits.of(spans, app, history_start)
    # The usual thing, for whole columns: nobody's clock is wrong, nothing is old.
    if given.null_count == 0 and bounds.keep(given) and (sent.null_count == len(sent) or bounds.trust(sent)):
        return Times(given, pc.divide(given, HOUR_US), given, sent), list(no_sent_at)
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
    return Times(event_time, pc.divide(stamp, HOUR_US), given, sent), sorted(odd)


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
